/**
 * Promises of the store about two instances that hold a row: an older version never overwrites a newer one (design §5.6).
 * Part of `localStoreContract.ts`.
 */
import * as Effect from "effect/Effect"
import { type KitCases, same, shareOf, storeInstance } from "../localStoreKit.ts"
import { del, insert, snapshotEnd, update } from "../messages.ts"

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

/** Two instances hold row 1 as a snapshot up to transaction 100 read it. */
const bothHold = [
  shareOf(one, [insert("items", item(1, "start")), seen]),
  shareOf(two, [insert("items", item(1, "start")), seen]),
]
const set = (name: string, lsn: number, txid: number, op = 0) =>
  update("items", { id: "1", name }, { lsn, txid, op })

export const orderCases: KitCases = [
  [
    "ranks log entries by LSN and position, whichever shape brings them first",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(...bothHold)
      yield* commit(shareOf(one, [set("b", 20, 102), set("c", 30, 103, 2)]))
      yield* commit(shareOf(two, [set("b", 20, 102)]))
      yield* shows("items", names, ["1|c"])
      yield* commit(shareOf(two, [set("b2", 30, 103, 0), set("c", 30, 103, 2)]))
      yield* shows("items", names, ["1|c"])
      yield* commit(shareOf(two, [set("d", 40, 104)]))
      yield* shows("items", names, ["1|d"])
    }),
  ],
  [
    "does not go back when the instance that was ahead leaves",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      yield* commit(...bothHold)
      yield* commit(shareOf(one, [set("ahead", 30, 103)]))
      yield* harness.store().collect(["one"])
      yield* commit(shareOf(two, [set("behind", 20, 102)]))
      yield* shows("items", names, ["1|ahead"])
      yield* commit(shareOf(two, [set("ahead", 30, 103), set("beyond", 31, 104)]))
      yield* shows("items", names, ["1|beyond"])
    }),
  ],
  [
    "lets a row that moves between shapes stay, whichever side comes first",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      yield* commit(
        shareOf(one, [insert("items", item(1, "in one")), insert("items", item(2, "in one")), seen]),
      )
      yield* commit(shareOf(two, [insert("items", item(1, "in two"), { lsn: 20, txid: 102 })]))
      yield* commit(
        shareOf(one, [
          del("items", { id: "1" }, { lsn: 20, txid: 102 }),
          del("items", { id: "2" }, { lsn: 21, txid: 103 }),
        ]),
      )
      yield* shows("items", names, ["1|in two"])
      yield* commit(shareOf(two, [insert("items", item(2, "in two"), { lsn: 21, txid: 103 })]))
      yield* shows("items", names, ["1|in two", "2|in two"])
      yield* same("holders", yield* harness.store().holders("items", ["1"]), ["two"])
    }),
  ],
  [
    "keeps a log-written row that a snapshot did not see, and overwrites one that it saw",
    Effect.fnUntraced(function* ({ commit, harness, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1, "log"), { lsn: 20, txid: 150 })]))
      yield* commit(shareOf(two, [insert("items", item(1, "snapshot")), seenTo(200, ["150"])]))
      yield* shows("items", names, ["1|log"])
      yield* same("holders", yield* harness.store().holders("items", ["1"]), ["one", "two"])
      yield* harness.store().collect(["two"])
      yield* commit(shareOf(two, [insert("items", item(1, "snapshot")), seenTo(200)]))
      yield* shows("items", names, ["1|snapshot"])
    }),
  ],
  [
    "skips a log entry that the snapshot of the readable row has seen",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1, "start")), seen]))
      yield* commit(shareOf(two, [insert("items", item(1, "seen")), seenTo(200)]))
      yield* commit(shareOf(one, [set("older", 20, 150)]))
      yield* shows("items", names, ["1|seen"])
      yield* commit(shareOf(one, [set("newer", 30, 200)]))
      yield* shows("items", names, ["1|newer"])
    }),
  ],
  [
    "prefers the snapshot that sees more",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1, "late")), seenTo(200)]))
      yield* commit(shareOf(two, [insert("items", item(1, "early")), seenTo(200, ["199"])]))
      yield* shows("items", names, ["1|late"])
      yield* commit(shareOf(storeInstance("three"), [insert("items", item(1, "latest")), seenTo(201)]))
      yield* shows("items", names, ["1|latest"])
    }),
  ],
  [
    "widens 32-bit transaction ids around the snapshot's 64-bit ones",
    Effect.fnUntraced(function* ({ commit, shows }) {
      const epoch = 4_294_967_296
      yield* commit(shareOf(one, [insert("items", item(1, "before the wrap"), { lsn: 20, txid: epoch - 5 })]))
      yield* commit(shareOf(two, [insert("items", item(1, "snapshot")), seenTo(epoch + 3)]))
      yield* shows("items", names, ["1|snapshot"])
      yield* commit(shareOf(one, [set("seen", 21, 2)]))
      yield* shows("items", names, ["1|snapshot"])
      yield* commit(shareOf(one, [set("not seen", 22, 7)]))
      yield* shows("items", names, ["1|not seen"])
    }),
  ],
  [
    "lets chunk rows that another instance holds wait for the snapshot-end, also across a crash",
    Effect.fnUntraced(function* ({ commit, harness, holds, shows }) {
      yield* commit(
        shareOf(one, [insert("items", item(1, "log"), { lsn: 20, txid: 150 })]),
        shareOf(storeInstance("three"), [insert("items", item(2, "log"), { lsn: 21, txid: 190 })]),
      )
      yield* commit(
        shareOf(
          two,
          [1, 2, 3].map((id) => insert("items", item(id, "chunk"))),
          { offset: "0_0", upToDate: false },
        ),
      )
      yield* shows("items", names, ["1|log", "2|log", "3|chunk"])
      yield* holds("two", ["1", "2", "3"])
      yield* harness.reopen
      yield* commit(shareOf(two, [seenTo(180)], { offset: "0_1" }))
      yield* shows("items", names, ["1|chunk", "2|log", "3|chunk"])
    }),
  ],
  [
    "remembers a chunk row that a log entry overtakes before the snapshot-end",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(
        shareOf(
          one,
          [1, 2].map((id) => insert("items", item(id, "chunk"))),
          { offset: "0_0", upToDate: false },
        ),
      )
      yield* commit(
        shareOf(two, [
          insert("items", item(1, "older"), { lsn: 20, txid: 150 }),
          insert("items", item(2, "newer"), { lsn: 21, txid: 250 }),
        ]),
      )
      yield* commit(
        shareOf(one, [seenTo(200), update("items", { id: "2", owner: "me" }, { lsn: 22, txid: 260 })], {
          offset: "0_1",
        }),
      )
      yield* shows("items", ["id", "name", "owner"], ["1|chunk|o", "2|newer|me"])
    }),
  ],
  [
    "does not wait for ever when no snapshot-end comes",
    Effect.fnUntraced(function* ({ commit, shows }) {
      yield* commit(shareOf(one, [insert("items", item(1, "one")), seen]))
      yield* commit(shareOf(two, [insert("items", item(1, "two"))], { offset: "0_0", upToDate: false }))
      yield* shows("items", names, ["1|one"])
      yield* commit(shareOf(two, [], { offset: "0_inf" }))
      yield* shows("items", names, ["1|two"])
    }),
  ],
]
