/**
 * Promises of the store about instances that a column tells apart, where a store may leave provenance to the rows themselves: rows that
 * move between them in either order, others that come to overlap them, and restarts in between. Part of `localStoreContract.ts`.
 */
import * as Effect from "effect/Effect"
import { type KitCases, same, shareOf, storeInstance, type StoreKit } from "../localStoreKit.ts"
import { del, insert, snapshotEnd, update } from "../messages.ts"

const a = storeInstance("a", { slice: ["owner", "a"] })
const b = storeInstance("b", { slice: ["owner", "b"] })
const all = storeInstance("all")
const seen = snapshotEnd({ xmin: "100", xmax: "100" })
const item = (id: number, owner: string, name: string) => ({ id: String(id), owner, name })
const shown = ["id", "owner", "name"]

/** Who holds row 1; after a restart too. */
const heldBy = Effect.fnUntraced(function* ({ harness }: StoreKit, expected: ReadonlyArray<string>) {
  yield* same("holders of row 1", yield* harness.store().holders("items", ["1"]), expected)
  yield* harness.reopen
  yield* same("holders after a restart", yield* harness.store().holders("items", ["1"]), expected)
})

const start = ({ commit }: StoreKit): Effect.Effect<void, unknown> =>
  commit(
    shareOf(a, [insert("items", item(1, "a", "one")), insert("items", item(2, "a", "two")), seen]),
    shareOf(b, [insert("items", item(3, "b", "three")), seen]),
  )

const arrives = shareOf(b, [insert("items", item(1, "b", "moved"), { lsn: 20, txid: 120 })], {
  offset: "20_0",
})
const leaves = shareOf(a, [del("items", { id: "1" }, { lsn: 20, txid: 120 })], { offset: "20_0" })

export const apartCases: KitCases = [
  [
    "tells the rows of instances apart by a column, also after a restart",
    Effect.fnUntraced(function* (kit) {
      yield* start(kit)
      yield* heldBy(kit, ["a"])
      yield* kit.holds("a", ["1", "2"])
      yield* kit.holds("b", ["3"])
      yield* same("values", yield* kit.harness.store().ownerRows(["a", "b"], ["name"]), [
        {
          owner: "a",
          rows: [
            { key: ["1"], values: ["one"] },
            { key: ["2"], values: ["two"] },
          ],
        },
        { owner: "b", rows: [{ key: ["3"], values: ["three"] }] },
      ])
      const { changes } = yield* kit.harness.store().collect(["a"])
      yield* same("collected", changes, { items: { inserted: 0, updated: 0, deleted: 2 } })
      yield* kit.shows("items", shown, ["3|b|three"])
      yield* same("rows held", (yield* kit.stored("b"))?.rows, 1)
    }),
  ],
  [
    "keeps both holders of a row that arrives before it leaves, and one afterwards",
    Effect.fnUntraced(function* (kit) {
      yield* start(kit)
      yield* kit.commit(arrives)
      yield* kit.shows("items", shown, ["1|b|moved", "2|a|two", "3|b|three"])
      yield* heldBy(kit, ["a", "b"])
      yield* kit.holds("a", ["1", "2"])
      yield* kit.commit(leaves)
      yield* heldBy(kit, ["b"])
      yield* kit.commit(shareOf(b, [update("items", { id: "1", name: "later" }, { lsn: 30, txid: 130 })]))
      yield* kit.shows("items", shown, ["1|b|later", "2|a|two", "3|b|three"])
      yield* same("rows held", [(yield* kit.stored("a"))?.rows, (yield* kit.stored("b"))?.rows], [1, 2])
    }),
  ],
  [
    "takes a row that left before it arrives",
    Effect.fnUntraced(function* (kit) {
      yield* start(kit)
      yield* kit.commit(leaves)
      yield* kit.shows("items", shown, ["2|a|two", "3|b|three"])
      yield* kit.commit(arrives)
      yield* heldBy(kit, ["b"])
      yield* kit.shows("items", shown, ["1|b|moved", "2|a|two", "3|b|three"])
    }),
  ],
  [
    "keeps a row that moved on and came back, whatever the slower instance says of the time between",
    Effect.fnUntraced(function* (kit) {
      yield* start(kit)
      const returns = shareOf(a, [
        del("items", { id: "1" }, { lsn: 20, txid: 120 }),
        insert("items", item(1, "a", "back"), { lsn: 30, txid: 130 }),
      ])
      yield* kit.commit(returns)
      yield* kit.commit(arrives)
      yield* kit.shows("items", shown, ["1|a|back", "2|a|two", "3|b|three"])
      yield* heldBy(kit, ["a", "b"])
      yield* kit.commit(shareOf(b, [del("items", { id: "1" }, { lsn: 30, txid: 130 })]))
      yield* heldBy(kit, ["a"])
      yield* kit.commit(shareOf(a, [update("items", { id: "1", name: "on" }, { lsn: 40, txid: 140 })]))
      yield* kit.shows("items", shown, ["1|a|on", "2|a|two", "3|b|three"])
    }),
  ],
  [
    "leaves a disputed row to the other holder when one is collected",
    Effect.fnUntraced(function* (kit) {
      yield* start(kit)
      yield* kit.commit(arrives)
      yield* kit.harness.store().collect(["b"])
      yield* heldBy(kit, ["a"])
      yield* kit.shows("items", shown, ["1|b|moved", "2|a|two"])
      yield* kit.commit(leaves)
      yield* kit.shows("items", shown, ["2|a|two"])
      yield* kit.holds("a", ["2"])
    }),
  ],
  [
    "rejects an update of another instance's row",
    Effect.fnUntraced(function* (kit) {
      yield* start(kit)
      const [outcome] = yield* kit.outcomes(
        shareOf(b, [update("items", { id: "1", name: "no" }, { lsn: 20 })]),
      )
      yield* same("outcome", outcome?._tag === "Rejected" ? outcome.kind : outcome, "unknown-row")
      yield* kit.shows("items", shown, ["1|a|one", "2|a|two", "3|b|three"])
    }),
  ],
  [
    "swaps a refetch of one without touching the others, disputed rows included",
    Effect.fnUntraced(function* (kit) {
      yield* start(kit)
      yield* kit.commit(arrives)
      const refetched = snapshotEnd({ xmin: "150", xmax: "150" })
      yield* kit.commit(
        shareOf(a, [insert("items", item(2, "a", "two"))], { mode: "stage", handle: "h2" }),
        shareOf(a, [insert("items", item(4, "a", "four")), refetched], { mode: "swap", handle: "h2" }),
      )
      yield* heldBy(kit, ["b"])
      yield* kit.holds("a", ["2", "4"])
      yield* kit.shows("items", shown, ["1|b|moved", "2|a|two", "3|b|three", "4|a|four"])
      yield* kit.commit(
        shareOf(a, [insert("items", item(3, "a", "came")), seen], { mode: "swap", handle: "h3" }),
      )
      yield* kit.shows("items", shown, ["1|b|moved", "3|b|three"])
      yield* same("holders", yield* kit.harness.store().holders("items", ["3"]), ["a", "b"])
    }),
  ],
  [
    "knows every holder when an instance comes that overlaps the others",
    Effect.fnUntraced(function* (kit) {
      yield* start(kit)
      yield* kit.commit(shareOf(a, [update("items", { id: "1", name: "newer" }, { lsn: 20, txid: 120 })]))
      yield* kit.harness.reopen
      yield* kit.commit(
        shareOf(all, [
          insert("items", item(1, "a", "older")),
          insert("items", item(3, "b", "three")),
          insert("items", item(9, "c", "nine")),
          snapshotEnd({ xmin: "110", xmax: "110" }),
        ]),
      )
      yield* kit.shows("items", shown, ["1|a|newer", "2|a|two", "3|b|three", "9|c|nine"])
      yield* heldBy(kit, ["a", "all"])
      yield* kit.holds("b", ["3"])
      yield* kit.harness.store().collect(["a", "b"])
      yield* kit.shows("items", shown, ["1|a|newer", "3|b|three", "9|c|nine"])
      yield* heldBy(kit, ["all"])
    }),
  ],
  [
    "keeps a row that does not look like its instance's until that lets go",
    Effect.fnUntraced(function* (kit) {
      yield* start(kit)
      yield* kit.commit(shareOf(a, [insert("items", item(5, "A", "other case"), { lsn: 20, txid: 120 })]))
      yield* kit.holds("a", ["1", "2", "5"])
      yield* kit.harness.reopen
      yield* kit.commit(shareOf(a, [update("items", { id: "5", name: "changed" }, { lsn: 30, txid: 130 })]))
      yield* kit.shows("items", shown, ["1|a|one", "2|a|two", "3|b|three", "5|A|changed"])
      yield* kit.harness.store().collect(["a"])
      yield* kit.shows("items", shown, ["3|b|three"])
    }),
  ],
]
