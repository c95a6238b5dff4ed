/**
 * Promises of the store about which instances hold a row, and what follows (design §5.2). Part of `localStoreContract.ts`.
 */
import * as Effect from "effect/Effect"
import { type KitCases, same, shareOf, storeInstance } from "../localStoreKit.ts"
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

export const provenanceCases: KitCases = [
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
    "tells an owner's binding values row by row: without NULL, from its own rows only",
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
      const at = (key: string, ...values: ReadonlyArray<string>) => ({ key: [key], values })
      const none = (key: string) => ({ key: [key], values: null })
      const store = harness.store()
      yield* same("all rows", yield* store.ownerRows(["two", "one", "nobody"], ["owner", "name"]), [
        { owner: "two", rows: [at("1", "b", "x"), at("6", "z", "y")] },
        { owner: "one", rows: [at("2", "a", "x"), at("3", "a", "x"), at("1", "b", "x")] },
        { owner: "nobody", rows: [] },
      ])
      // One asked in another spelling, one held by the other, one with a NULL, one unknown.
      const asked = [["03"], ["1"], ["6"], ["5"], ["9"]]
      yield* same("some rows", yield* store.ownerRowsAt("one", ["owner", "name"], asked), [
        at("3", "a", "x"),
        at("1", "b", "x"),
        none("6"),
        none("5"),
        none("9"),
      ])
      yield* same("of nobody", yield* store.ownerRowsAt("nobody", ["owner"], [["1"]]), [none("1")])
      yield* commit(
        shareOf(one, [
          del("items", { id: "3" }, { lsn: 9 }),
          update("items", { id: "1", owner: "q" }, { lsn: 9, op: 2 }),
        ]),
      )
      yield* same("after log", yield* store.ownerRowsAt("one", ["owner"], [["3"], ["1"]]), [
        none("3"),
        at("1", "q"),
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
