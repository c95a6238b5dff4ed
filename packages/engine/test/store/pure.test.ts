/** The pure half of the local stores: folding, tags, ranks, keys. */
import { assert, describe, it } from "@effect/vitest"
import type { Message } from "../../src/protocol/Message.ts"
import { fold, type FoldInput } from "../../src/adapters/store/fold.ts"
import { canonicalPlain, checkText, encodeKey, keyTextsOf } from "../../src/adapters/store/rowKey.ts"
import { effectiveMode, type HeldState } from "../../src/adapters/store/shareMode.ts"
import { isVisible, makeTagIndex, matches, tagStateOf, withCondition } from "../../src/adapters/store/tags.ts"
import {
  compareSnapshots,
  judge,
  type RowVersion,
  sees,
  widenTxid,
} from "../../src/adapters/store/version.ts"
import { planOf, sideDdl } from "../../src/adapters/pglite/sql.ts"
import { contractGraph, shareOf, storeInstance } from "../../src/testing/localStoreKit.ts"
import { del, insert, moveIn, moveOut, snapshotEnd, update } from "../../src/testing/messages.ts"

const items = contractGraph.tables["items"]
if (items === undefined) throw new Error("the contract graph has lost its items")
const folded = (messages: ReadonlyArray<Message>, options: Partial<FoldInput> = {}) =>
  fold({
    table: items,
    messages,
    canonical: canonicalPlain,
    tagged: false,
    upToDate: true,
    heldTags: new Map(),
    ...options,
  })
const changesOf = (messages: ReadonlyArray<Message>, options: Partial<FoldInput> = {}) => [
  ...folded(messages, options).changes.values(),
]
const seen = (xmin: number, xmax: number, ...running: ReadonlyArray<number>) => ({
  xmin: String(xmin),
  xmax: String(xmax),
  xip_list: running.map(String),
})
const log = (lsn: number, txid: number | null, op = 0): RowVersion => ({
  _tag: "Log",
  lsn: BigInt(lsn),
  op,
  txid: txid === null ? null : BigInt(txid),
})
const snapshot = (visibility: ReturnType<typeof seen> | "pending" | "unknown"): RowVersion => ({
  _tag: "Snapshot",
  visibility,
})

describe("fold", () => {
  it("leaves one change per row, the last word of the log", () => {
    const changes = changesOf([
      insert("items", { id: "1", name: "a" }, { lsn: 5, txid: 7 }),
      update("items", { id: "1", owner: "o" }, { lsn: 6, op: 2, txid: 8 }),
      del("items", { id: "2" }, { lsn: 6 }),
      update("items", { id: "3", name: "x" }, { lsn: 6 }),
      update("items", { id: "03", owner: "y" }, { lsn: 7 }),
    ])
    assert.deepStrictEqual(
      changes.map((change) => [change._tag, change.key, change._tag === "Drop" ? null : change.values]),
      [
        ["Put", ["1"], { id: "1", name: "a", owner: "o" }],
        ["Drop", ["2"], null],
        ["Patch", ["3"], { name: "x", owner: "y" }],
      ],
    )
    assert.deepStrictEqual(changes[0]?._tag === "Put" ? changes[0].version : null, {
      _tag: "Log",
      lsn: 6n,
      op: 2,
      txid: 8n,
    })
  })

  it("gives rows without an LSN to the next snapshot-end, and the rest to none", () => {
    const row = (id: string) => insert("items", { id, name: "a" })
    const end = snapshotEnd({ xmin: "1", xmax: "9" })
    const visibilities = (upToDate: boolean) =>
      changesOf([row("1"), end, row("2")], { upToDate }).map((change) =>
        change._tag === "Put" && change.version._tag === "Snapshot" ? change.version.visibility : null,
      )
    assert.deepStrictEqual(visibilities(false), [{ xmin: "1", xmax: "9", xip_list: [] }, "pending"])
    assert.deepStrictEqual(visibilities(true), [{ xmin: "1", xmax: "9", xip_list: [] }, "unknown"])
  })

  it("drops held rows by a move-out, keeps what a move-in flips, and ignores rows without the tag", () => {
    const heldTags = new Map([
      [encodeKey(["1"]), { tags: ["aa/", "/bb"], active: [true, false] }],
      [encodeKey(["2"]), { tags: ["aa/", "/cc"], active: [true, false] }],
    ])
    const changes = changesOf([moveIn([{ pos: 1, value: "bb" }]), moveOut([{ pos: 0, value: "aa" }])], {
      heldTags,
    })
    assert.deepStrictEqual(
      changes.map((change) => [change._tag, change.key]),
      [
        ["Patch", ["1"]],
        ["Drop", ["2"]],
      ],
    )
  })

  it("notes a row of a tagged shape that came without tags", () => {
    assert.isTrue(folded([insert("items", { id: "1" })], { tagged: true }).tagsMissing)
    assert.isFalse(folded([insert("items", { id: "1" }, { tags: ["aa"] })], { tagged: true }).tagsMissing)
  })

  it("refuses a change without its key, and one with an LSN that is no number", () => {
    assert.throws(() => folded([insert("items", { name: "a" })]), /key column id is missing/)
    assert.throws(() => folded([insert("items", { id: null })]), /key column id is NULL/)
    assert.throws(() => folded([insert("items", { id: "1" }, { lsn: "0/1F" })]), /no valid LSN/)
  })
})

describe("tags", () => {
  it("reads a row as visible while one disjunct has all of its own positions", () => {
    assert.isTrue(isVisible({ tags: ["a/1/", "//b"], active: [true, false, true] }))
    assert.isFalse(isVisible({ tags: ["a/1/", "//b"], active: [true, false, false] }))
    assert.isTrue(isVisible(tagStateOf(["a/1"], undefined)))
    assert.isFalse(isVisible({ tags: [], active: [] }))
  })

  it("matches a value only at its position", () => {
    const state = tagStateOf(["a/b"], undefined)
    assert.isTrue(matches(state, { pos: 1, value: "b" }))
    assert.isFalse(matches(state, { pos: 0, value: "b" }))
    assert.deepStrictEqual(withCondition({ tags: ["a"], active: [] }, 1, true).active, [false, true])
  })

  it("finds rows by their present tags", () => {
    const index = makeTagIndex()
    index.set("r", tagStateOf(["a"], undefined))
    index.set("r", tagStateOf(["b"], undefined))
    assert.deepStrictEqual(
      [index.find({ pos: 0, value: "a" }), index.find({ pos: 0, value: "b" })],
      [[], ["r"]],
    )
    index.remove("r")
    assert.deepStrictEqual(index.find({ pos: 0, value: "b" }), [])
  })
})

describe("versions", () => {
  it("sees what was committed before the snapshot, and nothing that ran then or later", () => {
    const visibility = seen(100, 110, 100, 105)
    assert.deepStrictEqual(
      [99n, 100n, 104n, 105n, 109n, 110n].map((txid) => sees(visibility, txid)),
      [true, false, true, false, true, false],
    )
  })

  it("widens a 32-bit id to the nearest 64-bit one", () => {
    const wrap = 1n << 32n
    assert.strictEqual(widenTxid(5n, wrap + 3n), wrap + 5n)
    assert.strictEqual(widenTxid(wrap - 5n, wrap + 3n), wrap - 5n)
    assert.strictEqual(widenTxid(5n, 3n * wrap - 2n), 3n * wrap + 5n)
    assert.strictEqual(widenTxid(wrap - 1n, 10n), wrap - 1n)
  })

  it("orders snapshots by what they see", () => {
    assert.isAbove(compareSnapshots(seen(1, 9), seen(1, 8)), 0)
    assert.isAbove(compareSnapshots(seen(9, 9), seen(5, 9, 5)), 0)
    assert.strictEqual(compareSnapshots(seen(9, 9), seen(9, 9)), 0)
  })

  it("judges every pair of kinds", () => {
    assert.strictEqual(judge(log(2, 1), log(1, 9)), "write")
    assert.strictEqual(judge(log(2, 1, 0), log(2, 1, 2)), "keep")
    assert.strictEqual(judge(log(2, 1), log(2, 1)), "keep")
    assert.strictEqual(judge(log(2, 50), snapshot(seen(90, 90))), "keep")
    assert.strictEqual(judge(log(2, 95), snapshot(seen(90, 90))), "write")
    assert.strictEqual(judge(log(2, null), snapshot(seen(90, 90))), "write")
    assert.strictEqual(judge(snapshot(seen(90, 90)), log(2, 50)), "write")
    assert.strictEqual(judge(snapshot(seen(90, 90)), log(2, 95)), "keep")
    assert.strictEqual(judge(snapshot("pending"), log(2, 50)), "wait")
    assert.strictEqual(judge(snapshot("pending"), snapshot("pending")), "wait")
    assert.strictEqual(judge(snapshot(seen(90, 90)), snapshot("pending")), "write")
    assert.strictEqual(judge(snapshot(seen(90, 90)), snapshot(seen(90, 90))), "keep")
    assert.strictEqual(judge(snapshot("unknown"), log(2, 95)), "write")
  })
})

describe("row keys", () => {
  it("spells equal values alike", () => {
    assert.deepStrictEqual(
      ["t", "TRUE", "f", "false"].map((text) => canonicalPlain("bool", text)),
      ["true", "true", "false", "false"],
    )
    assert.deepStrictEqual(
      ["007", "-0", "x"].map((text) => canonicalPlain("int4", text)),
      ["7", "0", "x"],
    )
    assert.strictEqual(canonicalPlain("uuid", "AB"), "ab")
    assert.deepStrictEqual(
      keyTextsOf(items, { id: "+1" }, canonicalPlain),
      ["+1"].map((text) => canonicalPlain("int4", text)),
    )
    assert.notStrictEqual(encodeKey(["a,b"]), encodeKey(["a", "b"]))
  })

  it("refuses what the type cannot hold", () => {
    for (const [type, text] of [
      ["int2", "32768"],
      ["int4", "1.5"],
      ["uuid", "nope"],
      ["bool", "maybe"],
      ["json", "{"],
      ["text", "\u0000"],
    ] as const) {
      assert.throws(() => checkText(type, "c", text), /column c/)
    }
    checkText("int2", "c", "-32768")
  })
})

describe("effectiveMode", () => {
  const held: HeldState = {
    hash: "hash-one",
    handle: "h1",
    offset: "1_0",
    complete: true,
    rows: 1,
    staging: false,
    stageHandle: null,
    swapped: false,
  }
  const one = storeInstance("one")

  it("appends only what continues the readable rows, or what starts from nothing", () => {
    const share = shareOf(one, [])
    assert.strictEqual(effectiveMode(null, share), "append")
    assert.strictEqual(effectiveMode(held, share), "append")
    assert.strictEqual(effectiveMode({ ...held, handle: null, complete: false, rows: 0 }, share), "append")
    assert.strictEqual(effectiveMode({ ...held, handle: null }, share), "swap")
    assert.strictEqual(effectiveMode({ ...held, hash: "other" }, share), "swap")
    assert.strictEqual(effectiveMode({ ...held, staging: true }, { ...share, upToDate: false }), "stage")
  })
})

describe("plans", () => {
  it("keeps side tables apart by name and within 63 bytes", () => {
    const name = "t".repeat(63)
    const columns = {
      id: { type: "int4", nullable: false },
      tags: { type: "text", nullable: false },
      _tags: { type: "text", nullable: false },
    } as const
    const plan = planOf({ name, from: name, columns, primaryKey: ["id"], indexes: [] })
    assert.strictEqual(plan.own.tags, `"__tags"`)
    for (const table of [plan.held, plan.stage]) assert.isAtMost(table.length, "espalier.".length + 65)
    assert.include(sideDdl(plan).join("\n"), `"__instance" int4 not null`)
  })
})
