/**
 * What every local store promises (design §5), as cases that any test runner can run. Exists so that the memory store, on
 * which the engine is tested and simulated, and the PGlite store cannot drift apart. A case gets an empty store and fails
 * by failing its effect; it looks only at the state of the world.
 */
import * as Effect from "effect/Effect"
import type { LocalStoreHarness, StoreKit } from "./localStoreKit.ts"
import { awkwardColumn, awkwardTable, same, shareOf, storeInstance, storeKit } from "./localStoreKit.ts"
import { orderCases, refetchCases } from "./localStoreVersionCases.ts"
import { del, insert, moveIn, moveOut, snapshotEnd, update } from "./messages.ts"

/** One promise. */
export interface LocalStoreCase {
  /** A sentence in the present tense. */
  readonly name: string
  readonly run: (harness: LocalStoreHarness) => Effect.Effect<void, unknown>
}

const one = storeInstance("one")
const two = storeInstance("two")
const seen = snapshotEnd({ xmin: "100", xmax: "100" })
const item = (id: number, name: string | null = null) => ({ id: String(id), name })
const full = (id: number, name: string) => ({
  id: String(id),
  owner: "o",
  name,
  flag: "t",
  amount: "1.50",
  data: null,
  raw: null,
  list: null,
  at: null,
})

/** Names and bodies; each body gets a kit over an empty store. */
export type KitCases = ReadonlyArray<
  readonly [name: string, body: (kit: StoreKit) => Effect.Effect<void, unknown>]
>

const rowCases: KitCases = [
  [
    "shows an instance's rows together with its checkpoint",
    Effect.fnUntraced(function* ({ commit, shows, stored }) {
      yield* commit(
        shareOf(one, [insert("items", full(1, "a")), insert("items", full(2, "b")), seen], { offset: "7_0" }),
      )
      yield* shows("items", ["id", "name", "flag", "amount", "data"], ["1|a|true|1.50|∅", "2|b|true|1.50|∅"])
      const state = yield* stored("one")
      yield* same(
        "state",
        [state?.checkpoint, state?.complete, state?.rows, state?.bindings],
        [{ handle: "h1", offset: "7_0" }, true, 2, { owner: "one" }],
      )
    }),
  ],
  [
    "applies inserts, updates and deletes in log order, also within one share",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1, "a")), insert("items", item(2, "b")), seen]))
      yield* commit(
        shareOf(one, [
          update("items", item(1, "a2"), { lsn: 10 }),
          del("items", { id: "2" }, { lsn: 10, op: 2 }),
          insert("items", item(3, "c"), { lsn: 11 }),
          update("items", { id: "3", owner: "me" }, { lsn: 11, op: 2 }),
          insert("items", item(4, "d"), { lsn: 12 }),
          del("items", { id: "4" }, { lsn: 12, op: 2 }),
          insert("items", item(2, "again"), { lsn: 13 }),
        ]),
      )
      yield* shows("items", ["id", "name", "owner"], ["1|a2|∅", "2|again|∅", "3|c|me"])
    }),
  ],
  [
    "takes repeated inserts and deletes without harm",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      const messages = [insert("items", full(1, "a"), { lsn: 5 }), del("items", { id: "9" }, { lsn: 6 })]
      yield* commit(shareOf(one, messages))
      const again = yield* harness.store().commit([shareOf(one, messages)])
      yield* same("changes of the repetition", again.changes, {})
      yield* shows("items", ["id", "name"], ["1|a"])
    }),
  ],
  [
    "rejects an update of a row the instance does not hold, and keeps the other shares",
    Effect.fnUntraced(function* ({ commit, outcomes, shows }) {
      yield* commit(shareOf(two, [insert("items", full(1, "a")), seen]))
      const result = yield* outcomes(
        shareOf(one, [
          insert("items", full(5, "lost"), { lsn: 4 }),
          update("items", item(1, "stranger"), { lsn: 5 }),
        ]),
        shareOf(two, [update("items", item(1, "known"), { lsn: 5 })]),
      )
      yield* same(
        "outcomes",
        result.map((outcome) =>
          outcome._tag === "Rejected" ? `${outcome.kind} ${outcome.table}` : outcome._tag,
        ),
        ["unknown-row items", "Committed"],
      )
      yield* shows("items", ["id", "name"], ["1|known"])
    }),
  ],
  [
    "rejects an update that follows a delete of its row within the share",
    Effect.fnUntraced(function* ({ commit, outcomes, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1, "a")), seen]))
      const result = yield* outcomes(
        shareOf(one, [del("items", { id: "1" }, { lsn: 5 }), update("items", item(1, "b"), { lsn: 6 })]),
      )
      yield* same(
        "outcome",
        result.map(({ _tag }) => _tag),
        ["Rejected"],
      )
      yield* shows("items", ["id", "name"], ["1|a"])
    }),
  ],
  [
    "rejects a value the database refuses, leaves nothing of that share and commits the others",
    Effect.fnUntraced(function* ({ outcomes, shows, stored }) {
      const bad = [
        { id: "x", name: "a" },
        { id: "99999999999", name: "a" },
        { id: "1", name: "nul\u0000nul" },
        { id: "1", data: "{" },
        { id: "1", name: "half \ud800" },
        { name: "no key" },
      ]
      for (const row of bad) {
        const result = yield* outcomes(
          shareOf(one, [insert("items", full(7, "good")), insert("items", row)]),
          shareOf(two, [insert("items", full(2, "kept"))]),
        )
        yield* same(
          JSON.stringify(row),
          result.map((outcome) => (outcome._tag === "Rejected" ? outcome.kind : "ok")),
          ["row", "ok"],
        )
        yield* same(
          "message",
          result.every((outcome) => outcome._tag === "Committed" || outcome.message.length > 0),
          true,
        )
      }
      yield* shows("items", ["id", "name"], ["2|kept"])
      yield* same("the rejected instance", yield* stored("one"), undefined)
    }),
  ],
  [
    "keeps any text exactly",
    Effect.fnUntraced(function* ({ commit, harness }) {
      const texts = [
        "",
        " ",
        "NULL",
        "null",
        "\\N",
        `"q"`,
        "it's",
        "a,b",
        "{x}",
        "tab\tnew\nline\r",
        "\\\\x",
        "💧 ünï",
        "$1",
        "x".repeat(70_000),
      ]
      yield* commit(
        shareOf(
          one,
          texts.map((name, index) => insert("items", item(100 + index, name))),
        ),
      )
      yield* commit(
        shareOf(
          one,
          texts.map((owner, index) => update("items", { id: String(100 + index), owner }, { lsn: 5 })),
        ),
      )
      const rows = yield* harness.rows("items")
      yield* same(
        "names",
        rows.map(({ name }) => name),
        texts,
      )
      yield* same(
        "owners",
        rows.map(({ owner }) => owner),
        texts,
      )
    }),
  ],
  [
    "writes a value that is equal but not identical",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(
        shareOf(one, [
          insert("items", { ...full(1, "a"), amount: "1.0", raw: "[1]", list: `{a,"b c",NULL}` }),
        ]),
      )
      yield* commit(shareOf(one, [update("items", { id: "1", amount: "1.00", raw: "[1, 2]" }, { lsn: 5 })]))
      yield* shows("items", ["amount", "raw", "list"], [`1.00|[1, 2]|{a,"b c",NULL}`])
    }),
  ],
  [
    "tolerates a column it does not know and leaves out columns that were not sent",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(
        shareOf(one, [insert("items", { id: "1", name: "a", renamed: "x" }), insert("items", full(2, "b"))]),
      )
      yield* shows("items", ["id", "name", "owner"], ["1|a|∅", "2|b|o"])
    }),
  ],
  [
    "knows a row by its typed key, not by the message's key text",
    Effect.fnUntraced(function* ({ commit, holds, shows }) {
      const pairs = storeInstance("pairs", { table: "pairs" })
      yield* commit(
        shareOf(pairs, [insert("pairs", { flag: "true", name: "a/b", note: "1" }, { key: "snapshot" })]),
      )
      yield* commit(
        shareOf(pairs, [update("pairs", { flag: "t", name: "a/b", note: "2" }, { lsn: 5, key: "log" })]),
      )
      yield* shows("pairs", ["flag", "name", "note"], ["true|a/b|2"])
      yield* commit(
        shareOf(pairs, [
          insert("pairs", { flag: "f", name: "a/b", note: "3" }, { lsn: 6 }),
          del("pairs", { flag: "t", name: "a/b" }, { lsn: 7 }),
        ]),
      )
      yield* holds("pairs", ["false|a/b"])
    }),
  ],
  [
    "copes with names that hand-built SQL trips over",
    Effect.fnUntraced(function* ({ commit, harness, holds, shows }) {
      const odd = storeInstance("odd", { table: awkwardTable })
      const other = storeInstance("odd-2", { table: awkwardTable })
      const row = (key: string, tags: string) => ({
        [awkwardColumn]: key,
        instance: "i",
        tags,
        t: "t",
        excluded: "e",
      })
      yield* commit(
        shareOf(odd, [insert(awkwardTable, row("k", "1")), seen]),
        shareOf(other, [insert(awkwardTable, row("k", "1")), seen]),
      )
      yield* commit(
        shareOf(odd, [update(awkwardTable, { [awkwardColumn]: "k", instance: "i", tags: "2" }, { lsn: 5 })]),
      )
      yield* commit(shareOf(odd, [insert(awkwardTable, row("z", "9"))], { mode: "swap", handle: "h2" }))
      yield* shows(awkwardTable, [awkwardColumn, "instance", "tags"], ["k|i|2", "z|i|9"])
      yield* holds("odd", ["z|i"])
      yield* same("holders", yield* harness.store().holders(awkwardTable, ["k", "i"]), ["odd-2"])
    }),
  ],
  [
    "lands a first snapshot chunk by chunk, complete only at its up-to-date",
    Effect.fnUntraced(function* ({ commit, harness, shows, stored }) {
      yield* commit(shareOf(one, [insert("items", item(1, "a"))], { offset: "0_0", upToDate: false }))
      yield* harness.reopen
      const partial = yield* stored("one")
      yield* same(
        "after a chunk",
        [partial?.checkpoint?.offset, partial?.complete, partial?.lastUpToDateAt],
        ["0_0", false, null],
      )
      yield* shows("items", ["id"], ["1"])
      yield* commit(shareOf(one, [insert("items", item(2, "b")), seen], { offset: "0_1" }))
      yield* same("at the end", (yield* stored("one"))?.complete, true)
      yield* shows("items", ["id"], ["1", "2"])
    }),
  ],
  [
    "finds after a crash exactly what was committed",
    Effect.fnUntraced(function* ({ commit, harness, holds, shows, stored }) {
      yield* commit(
        shareOf(one, [insert("items", item(1, "a")), seen]),
        shareOf(two, [insert("items", item(1, "a")), insert("items", item(2, "b")), seen]),
      )
      const before = yield* stored("one")
      yield* harness.reopen
      yield* same("state", yield* stored("one"), before)
      yield* holds("two", ["1", "2"])
      yield* commit(
        shareOf(two, [
          del("items", { id: "1" }, { lsn: 5 }),
          update("items", item(2, "b2"), { lsn: 5, op: 2 }),
        ]),
      )
      yield* shows("items", ["id", "name"], ["1|a", "2|b2"])
    }),
  ],
]

const provenanceCases: KitCases = [
  [
    "keeps a row until its last holder lets go",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      const store = harness.store()
      yield* commit(
        shareOf(one, [insert("items", item(1, "a")), seen]),
        shareOf(two, [insert("items", item(1, "a")), seen]),
      )
      yield* same("holders", yield* store.holders("items", ["1"]), ["one", "two"])
      yield* commit(shareOf(one, [del("items", { id: "1" }, { lsn: 9 })]))
      yield* shows("items", ["id"], ["1"])
      yield* same("holders after one left", yield* store.holders("items", ["1"]), ["two"])
      yield* commit(shareOf(two, [del("items", { id: "1" }, { lsn: 9 })]))
      yield* shows("items", ["id"], [])
    }),
  ],
  [
    "collects instances in one go, keeping rows that others hold",
    Effect.fnUntraced(function* ({ commit, harness, shows, stored }) {
      yield* commit(
        shareOf(one, [insert("items", item(1)), insert("items", item(2)), seen]),
        shareOf(two, [insert("items", item(2)), insert("items", item(3)), seen]),
        shareOf(storeInstance("pairs", { table: "pairs" }), [insert("pairs", { flag: "t", name: "p" })]),
      )
      const result = yield* harness.store().collect(["one", "pairs", "nobody"])
      yield* same(
        "changes",
        [result.changes["items"], result.changes["pairs"]],
        [
          { inserted: 0, updated: 0, deleted: 1 },
          { inserted: 0, updated: 0, deleted: 1 },
        ],
      )
      yield* shows("items", ["id"], ["2", "3"])
      yield* shows("pairs", ["name"], [])
      yield* same("instance", yield* stored("one"), undefined)
      yield* harness.store().collect(["two"])
      yield* shows("items", ["id"], [])
    }),
  ],
  [
    "counts the rows that really changed",
    Effect.fnUntraced(function* ({ commit, harness }) {
      const store = harness.store()
      const first = yield* store.commit([
        shareOf(one, [
          insert("items", full(1, "a")),
          insert("items", full(2, "b")),
          insert("items", full(3, "c")),
          seen,
        ]),
      ])
      yield* same("first", first.changes, { items: { inserted: 3, updated: 0, deleted: 0 } })
      const second = yield* store.commit([
        shareOf(one, [
          update("items", item(1, "a"), { lsn: 5 }),
          update("items", item(2, "b2"), { lsn: 5, op: 2 }),
          del("items", { id: "3" }, { lsn: 5, op: 4 }),
        ]),
      ])
      yield* same("second", second.changes, { items: { inserted: 0, updated: 1, deleted: 1 } })
      yield* same("rows", second.outcomes, [{ _tag: "Committed", key: "one", rows: 2 }])
      yield* commit(shareOf(two, [insert("items", full(1, "a")), seen]))
    }),
  ],
  [
    "tells an owner's binding values: distinct, without NULL, from its own rows only",
    Effect.fnUntraced(function* ({ commit, harness }) {
      const row = (id: number, owner: string | null, name: string | null) =>
        insert("items", { ...full(id, ""), owner, name })
      yield* commit(
        shareOf(one, [
          row(1, "b", "x"),
          row(2, "a", "x"),
          row(3, "a", "x"),
          row(4, null, "x"),
          row(5, "c", null),
          seen,
        ]),
        shareOf(two, [row(6, "z", "y"), row(1, "b", "x"), seen]),
      )
      yield* same("values", yield* harness.store().ownerValues(["two", "one", "nobody"], ["owner", "name"]), [
        {
          owner: "two",
          values: [
            ["b", "x"],
            ["z", "y"],
          ],
        },
        {
          owner: "one",
          values: [
            ["a", "x"],
            ["b", "x"],
          ],
        },
        { owner: "nobody", values: [] },
      ])
    }),
  ],
  [
    "wipes every row and instance",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1)), seen]))
      yield* harness.store().wipe
      yield* shows("items", ["id"], [])
      yield* same("instances", yield* harness.store().instances, [])
      yield* commit(shareOf(one, [insert("items", item(2)), seen]))
      yield* shows("items", ["id"], ["2"])
    }),
  ],
]

const tagged = storeInstance("tagged", { tagged: true })
const inside = (
  id: number,
  tags: ReadonlyArray<string>,
  activeConditions?: ReadonlyArray<boolean>,
  lsn?: number,
) =>
  insert("items", item(id, `r${id}`), {
    tags,
    ...(activeConditions && { activeConditions }),
    ...(lsn && { lsn }),
  })

const tagCases: KitCases = [
  [
    "applies a move-out from persisted tags, also after a restart",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      yield* commit(
        shareOf(tagged, [inside(1, ["aa"], [true]), inside(2, ["bb"], [true]), seen]),
        shareOf(one, [insert("items", item(1, "r1")), seen]),
      )
      yield* harness.reopen
      yield* commit(
        shareOf(tagged, [
          moveOut([
            { pos: 0, value: "aa" },
            { pos: 0, value: "bb" },
          ]),
        ]),
      )
      yield* shows("items", ["id"], ["1"])
      yield* same("holders", yield* harness.store().holders("items", ["1"]), ["one"])
    }),
  ],
  [
    "keeps a row while one of its disjuncts holds, and lets it go with the last",
    Effect.fnUntraced(function* ({ commit, holds }) {
      yield* commit(
        shareOf(tagged, [
          inside(1, ["aa/", "/1"], [true, true]),
          inside(2, ["aa/", "/1"], [true, false]),
          inside(3, ["cc/1"], [true, true]),
          seen,
        ]),
      )
      yield* commit(shareOf(tagged, [moveOut([{ pos: 0, value: "aa" }])]))
      yield* holds("tagged", ["1", "3"])
      yield* commit(shareOf(tagged, [moveOut([{ pos: 1, value: "1" }])]))
      yield* holds("tagged", [])
    }),
  ],
  [
    "flips a condition back with a move-in, and takes the rows that follow as upserts",
    Effect.fnUntraced(function* ({ commit, holds }) {
      yield* commit(shareOf(tagged, [inside(1, ["aa/", "/bb"], [false, true]), seen]))
      yield* commit(
        shareOf(tagged, [
          moveIn([{ pos: 0, value: "aa" }]),
          insert("items", item(1, "r1"), {
            tags: ["aa/", "/bb"],
            activeConditions: [true, true],
            moveIn: true,
          }),
          insert("items", item(2, "r2"), {
            tags: ["aa/", "/bb"],
            activeConditions: [true, false],
            moveIn: true,
          }),
          snapshotEnd({ xmin: "200", xmax: "200" }),
        ]),
      )
      yield* commit(shareOf(tagged, [moveIn([{ pos: 1, value: "bb" }]), moveOut([{ pos: 0, value: "aa" }])]))
      yield* holds("tagged", ["1", "2"])
      yield* commit(shareOf(tagged, [moveOut([{ pos: 1, value: "bb" }])]))
      yield* holds("tagged", [])
    }),
  ],
  [
    "reads the events of a share in log order, with the tags as they are at that point",
    Effect.fnUntraced(function* ({ commit, holds }) {
      yield* commit(shareOf(tagged, [inside(1, ["aa"]), inside(2, ["aa"]), seen]))
      yield* commit(
        shareOf(tagged, [
          update(
            "items",
            { id: "1" },
            { lsn: 5, tags: ["bb"], removedTags: ["aa"], activeConditions: [true] },
          ),
          inside(3, ["aa"], [true], 6),
          moveOut([{ pos: 0, value: "aa" }]),
          inside(4, ["aa"], [true], 7),
        ]),
      )
      yield* holds("tagged", ["1", "4"])
      yield* commit(shareOf(tagged, [moveOut([{ pos: 0, value: "bb" }])]))
      yield* holds("tagged", ["4"])
    }),
  ],
  [
    "never resumes a tagged instance whose rows came without tags",
    Effect.fnUntraced(function* ({ commit, harness, outcomes, shows, stored }) {
      yield* commit(shareOf(tagged, [insert("items", item(1, "r1")), seen]))
      yield* same("checkpoint", (yield* stored("tagged"))?.checkpoint, null)
      const result = yield* outcomes(shareOf(tagged, [moveOut([{ pos: 0, value: "aa" }])]))
      yield* same(
        "outcome",
        result.map((outcome) => (outcome._tag === "Rejected" ? outcome.kind : "")),
        ["unknown-row"],
      )
      yield* harness.reopen
      yield* commit(shareOf(tagged, [inside(2, ["aa"]), seen]))
      yield* shows("items", ["id"], ["2"])
      yield* same("checkpoint after the refetch", (yield* stored("tagged"))?.checkpoint?.handle, "h1")
    }),
  ],
]

/** Every promise of a local store. */
export const localStoreContract: ReadonlyArray<LocalStoreCase> = [
  ...rowCases,
  ...provenanceCases,
  ...tagCases,
  ...refetchCases,
  ...orderCases,
].map(([name, body]) => ({ name, run: (harness) => body(storeKit(harness)) }))
