/**
 * Promises of the store about what a crash or a lost answer leaves (design §5.1, §5.3). Part of `localStoreContract.ts`.
 */
import * as Effect from "effect/Effect"
import { type KitCases, same, shareOf, storeInstance } from "../localStoreKit.ts"
import { del, insert, snapshotEnd, update } from "../messages.ts"

const one = storeInstance("one")
const two = storeInstance("two")
const seen = snapshotEnd({ xmin: "100", xmax: "100" })
const item = (id: number, name: string | null = null) => ({ id: String(id), name })

export const durabilityCases: KitCases = [
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
  [
    "takes a share that is sent again because its answer was lost",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1, "old")), seen]))
      const log = shareOf(
        one,
        [update("items", item(1, "new"), { lsn: 5 }), insert("items", item(2, "b"), { lsn: 5, op: 2 })],
        {
          offset: "5_2",
        },
      )
      yield* commit(log)
      yield* commit(log)
      yield* shows("items", ["id", "name"], ["1|new", "2|b"])
      yield* commit(shareOf(one, [insert("items", item(3, "staged"))], { mode: "stage", handle: "h2" }))
      const swap = shareOf(one, [seen, update("items", item(3, "swapped"), { lsn: 9 })], {
        mode: "swap",
        handle: "h2",
        offset: "9_0",
      })
      yield* commit(swap)
      yield* commit(swap)
      yield* shows("items", ["id", "name"], ["3|swapped"])
    }),
  ],
  [
    "starts anew when a key names another definition, even of another table",
    Effect.fnUntraced(function* ({ commit, shows, stored }) {
      yield* commit(shareOf(one, [insert("items", item(1, "old")), seen]))
      yield* commit(shareOf(storeInstance("one", { hash: "other" }), [insert("items", item(2, "new")), seen]))
      yield* shows("items", ["id", "name"], ["2|new"])
      yield* same("hash", (yield* stored("one"))?.hash, "other")
      yield* commit(
        shareOf(storeInstance("one", { table: "pairs" }), [insert("pairs", { flag: "t", name: "p" })]),
      )
      yield* shows("items", ["id"], [])
      yield* shows("pairs", ["name"], ["p"])
      yield* same("table", (yield* stored("one"))?.table, "pairs")
    }),
  ],
]
