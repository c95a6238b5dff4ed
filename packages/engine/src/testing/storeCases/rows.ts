/**
 * Promises of the store about single rows: what log entries do to them, which values they keep, and how a bad batch ends
 * (design §5.5, §5.9, §5.10). Part of `localStoreContract.ts`.
 */
import * as Effect from "effect/Effect"
import { awkwardColumn, awkwardTable, type KitCases, same, shareOf, storeInstance } from "../localStoreKit.ts"
import { del, insert, snapshotEnd, update } from "../messages.ts"

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

export const rowCases: KitCases = [
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
]
