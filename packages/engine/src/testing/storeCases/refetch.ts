/**
 * Promises of the store about refetches: the old rows stay readable until the new ones are whole (design §5.4). Part of
 * `localStoreContract.ts`.
 */
import * as Effect from "effect/Effect"
import { type KitCases, same, shareOf, storeInstance } from "../localStoreKit.ts"
import { del, insert, moveOut, snapshotEnd, update } from "../messages.ts"

const one = storeInstance("one")
const two = storeInstance("two")
const item = (id: number, name: string) => ({
  id: String(id),
  owner: "o",
  name,
  flag: null,
  amount: null,
  data: null,
  raw: null,
  list: null,
  at: null,
})
const seenTo = (xmax: number, running: ReadonlyArray<string> = []) =>
  snapshotEnd({ xmin: running[0] ?? String(xmax), xmax: String(xmax), xip_list: running })
const seen = seenTo(100)
const names = ["id", "name"]

export const refetchCases: KitCases = [
  [
    "keeps the old rows readable while a refetch is staged, then swaps in one step",
    Effect.fnUntraced(function* ({ commit, harness, holds, shows, stored }) {
      yield* commit(shareOf(one, [1, 2, 3].map((id) => insert("items", item(id, "old"))).concat([]), {}))
      yield* commit(
        shareOf(one, [insert("items", item(2, "old")), insert("items", item(3, "new"))], {
          mode: "stage",
          handle: "h2",
          offset: "0_0",
        }),
      )
      yield* shows("items", names, ["1|old", "2|old", "3|old"])
      yield* same("checkpoint while staged", (yield* stored("one"))?.checkpoint, null)
      const swap = yield* harness
        .store()
        .commit([
          shareOf(
            one,
            [
              insert("items", item(4, "new")),
              seen,
              update("items", { id: "4", name: "newer" }, { lsn: 9, txid: 101 }),
            ],
            { mode: "swap", handle: "h2", offset: "9_0" },
          ),
        ])
      yield* same("changes", swap.changes, { items: { inserted: 1, updated: 1, deleted: 1 } })
      yield* shows("items", names, ["2|old", "3|new", "4|newer"])
      yield* holds("one", ["2", "3", "4"])
      const state = yield* stored("one")
      yield* same(
        "state",
        [state?.checkpoint, state?.rows, state?.complete],
        [{ handle: "h2", offset: "9_0" }, 3, true],
      )
    }),
  ],
  [
    "forgets a staged refetch when the process dies, and starts from the beginning",
    Effect.fnUntraced(function* ({ commit, harness, shows, stored }) {
      yield* commit(shareOf(one, [insert("items", item(1, "old")), seen]))
      yield* commit(
        shareOf(one, [insert("items", item(1, "new")), insert("items", item(9, "ghost"))], {
          mode: "stage",
          handle: "h2",
        }),
      )
      yield* harness.reopen
      yield* shows("items", names, ["1|old"])
      yield* same("checkpoint", (yield* stored("one"))?.checkpoint, null)
      yield* commit(shareOf(one, [insert("items", item(1, "new")), seen], { mode: "swap", handle: "h2" }))
      yield* shows("items", names, ["1|new"])
    }),
  ],
  [
    "forgets a staged refetch when told to, keeping the rows and no checkpoint",
    Effect.fnUntraced(function* ({ commit, harness, shows, stored }) {
      yield* commit(shareOf(one, [insert("items", item(1, "old")), seen]))
      yield* harness.store().discardStage("one")
      yield* same("nothing was staged", (yield* stored("one"))?.checkpoint?.handle, "h1")
      yield* commit(shareOf(one, [insert("items", item(9, "ghost"))], { mode: "stage", handle: "h2" }))
      yield* harness.store().discardStage("one")
      yield* shows("items", names, ["1|old"])
      yield* same("checkpoint", (yield* stored("one"))?.checkpoint, null)
      yield* commit(shareOf(one, [seen], { mode: "swap", handle: "h2" }))
      yield* shows("items", names, [])
    }),
  ],
  [
    "starts the stage over when the handle changes again",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1, "old")), seen]))
      yield* commit(shareOf(one, [insert("items", item(9, "ghost"))], { mode: "stage", handle: "h2" }))
      yield* commit(shareOf(one, [insert("items", item(2, "new"))], { mode: "stage", handle: "h3" }))
      yield* commit(shareOf(one, [seen], { mode: "swap", handle: "h3" }))
      yield* shows("items", names, ["2|new"])
    }),
  ],
  [
    "treats a handle that changes without a word as a refetch",
    Effect.fnUntraced(function* ({ commit, shows, stored }) {
      yield* commit(shareOf(one, [insert("items", item(1, "old")), insert("items", item(2, "old")), seen]))
      yield* commit(shareOf(one, [insert("items", item(2, "new"))], { handle: "h2", upToDate: false }))
      yield* shows("items", names, ["1|old", "2|old"])
      yield* same("checkpoint", (yield* stored("one"))?.checkpoint, null)
      yield* commit(shareOf(one, [seen], { handle: "h2" }))
      yield* shows("items", names, ["2|new"])
    }),
  ],
  [
    "never removes or overwrites by a swap what another instance holds or knows better",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      yield* commit(
        shareOf(
          one,
          [1, 2].map((id) => insert("items", item(id, "old"))),
        ),
        shareOf(
          two,
          [1, 2].map((id) => insert("items", item(id, "old"))),
        ),
      )
      yield* commit(shareOf(two, [update("items", { id: "1", name: "later" }, { lsn: 50, txid: 500 })]))
      yield* commit(
        shareOf(one, [insert("items", item(1, "snapshot")), seenTo(400)], { mode: "swap", handle: "h2" }),
      )
      yield* shows("items", names, ["1|later", "2|old"])
      yield* same("holders", yield* harness.store().holders("items", ["2"]), ["two"])
    }),
  ],
  [
    "applies updates, deletes and moves to the stage, and rejects an update of a row that is not staged",
    Effect.fnUntraced(function* ({ commit, holds, outcomes, shows }) {
      const tagged = storeInstance("tagged", { tagged: true })
      const row = (id: number, tag: string) =>
        insert("items", item(id, "s"), { tags: [tag], activeConditions: [true] })
      yield* commit(shareOf(tagged, [row(1, "aa"), seen]))
      yield* commit(
        shareOf(tagged, [row(2, "aa"), row(3, "bb"), row(4, "bb"), row(5, "bb")], {
          mode: "stage",
          handle: "h2",
        }),
      )
      const result = yield* outcomes(
        shareOf(tagged, [update("items", { id: "1", name: "x" }, { lsn: 5 })], {
          mode: "stage",
          handle: "h2",
        }),
      )
      yield* same(
        "outcome",
        result.map((outcome) => (outcome._tag === "Rejected" ? outcome.kind : "")),
        ["unknown-row"],
      )
      yield* commit(
        shareOf(
          tagged,
          [
            seen,
            moveOut([{ pos: 0, value: "aa" }]),
            del("items", { id: "4" }, { lsn: 5 }),
            update("items", { id: "5", name: "u" }, { lsn: 5, op: 2 }),
          ],
          { mode: "swap", handle: "h2" },
        ),
      )
      yield* shows("items", names, ["3|s", "5|u"])
      yield* commit(shareOf(tagged, [moveOut([{ pos: 0, value: "bb" }])], { handle: "h2" }))
      yield* holds("tagged", [])
    }),
  ],
  [
    "keeps what was readable when the swap itself is rejected",
    Effect.fnUntraced(function* ({ commit, outcomes, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1, "old")), seen]))
      yield* commit(shareOf(one, [insert("items", item(2, "new"))], { mode: "stage", handle: "h2" }))
      yield* outcomes(shareOf(one, [insert("items", { id: "bad" })], { mode: "swap", handle: "h2" }))
      yield* shows("items", names, ["1|old"])
      yield* commit(shareOf(one, [insert("items", item(3, "new"))], { mode: "swap", handle: "h2" }))
      yield* shows("items", names, ["2|new", "3|new"])
    }),
  ],
]
