/**
 * What every shape server does with transactions, as cases that any test runner can run: the model server, the embedded server, and
 * the real one. Exists so that the model, on which whole engines are simulated, cannot drift from what Electric does (protocol
 * reference §3, §6, §13). A case fails by failing its effect; it brings its own rows and looks at messages only.
 */
import * as Effect from "effect/Effect"
import {
  type ChangeMessage,
  isChange,
  isEvent,
  isMoveOut,
  isSnapshotEnd,
  type Message,
} from "../protocol/Message.ts"
import { same } from "./localStoreKit.ts"
import type { Write } from "./model/ModelDatabase.ts"
import { type Reader, type ServerKit, serverKitOf, type ShapeServerHarness } from "./shapeServerKit.ts"

export interface ShapeServerCase {
  /** A sentence in the present tense. */
  readonly name: string
  readonly run: (harness: ShapeServerHarness) => Effect.Effect<void, unknown>
}

const changesIn = (log: ReadonlyArray<Message>): ReadonlyArray<ChangeMessage> => log.filter(isChange)
const operations = (log: ReadonlyArray<Message>): ReadonlyArray<string> =>
  changesIn(log).map(({ headers, value }) => `${headers.operation} ${value["id"]}`)
const gone = (write: Write): Write => ({ ...write, remove: true })
const count =
  (wanted: number) =>
  (log: ReadonlyArray<Message>): boolean =>
    changesIn(log).length >= wanted

const cases: ReadonlyArray<readonly [name: string, run: (kit: ServerKit) => Effect.Effect<void, unknown>]> = [
  [
    "sends the rows and a snapshot-end, and says up to date only after them",
    (kit) =>
      Effect.gen(function* () {
        yield* kit.commit(kit.group(1), kit.item(1, 1), kit.item(2, 1))
        const reader = yield* kit.read("items", 1)
        yield* reader.caughtUp
        const messages = reader.batches.flatMap((batch) => batch.messages)
        yield* same("rows", operations(messages).toSorted(), [`insert ${kit.id(1)}`, `insert ${kit.id(2)}`])
        yield* same("snapshot-ends", messages.filter(isSnapshotEnd).length, 1)
        yield* same("the first answer is up to date", reader.batches[0]?.upToDate, false)
        yield* same(
          "LSNs of snapshot rows",
          changesIn(messages).map(({ headers }) => headers.lsn ?? null),
          [null, null],
        )
        yield* reader.stop
      }),
  ],
  [
    "writes whole inserts, the changed columns of updates and the keys of deletes, with LSN, position and transaction id",
    (kit) =>
      Effect.gen(function* () {
        yield* kit.commit(kit.group(1))
        const reader = yield* kit.read("items", 1)
        yield* reader.caughtUp
        yield* kit.commit(kit.item(1, 1))
        yield* kit.commit({ table: "items", row: { id: kit.id(1), title: "new" } })
        yield* kit.commit(gone(kit.item(1, 1)))
        yield* reader.until(count(3))
        const log = changesIn(reader.log())
        yield* same(
          "values",
          log.map(({ value }) => value),
          [kit.item(1, 1).row, { id: kit.id(1), title: "new" }, { id: kit.id(1) }],
        )
        for (const { headers } of log) {
          yield* same("lsn is decimal", /^\d+$/.test(headers.lsn ?? ""), true)
          yield* same("one transaction id", headers.txids?.length, 1)
          yield* same("a position", typeof headers.op_position, "number")
        }
        const lsns = log.map(({ headers }) => BigInt(headers.lsn ?? "0"))
        yield* same(
          "LSNs rise",
          lsns.every((lsn, index) => index === 0 || lsn > (lsns[index - 1] ?? lsn)),
          true,
        )
        yield* reader.stop
      }),
  ],
  [
    "lets a row leave with a delete and arrive with a whole insert when it moves between shapes, at one LSN and position",
    (kit) =>
      Effect.gen(function* () {
        yield* kit.commit(kit.group(1), kit.group(2), kit.item(1, 1))
        const [from, to] = [yield* kit.read("items", 1), yield* kit.read("items", 2)]
        yield* from.caughtUp
        yield* to.caughtUp
        yield* kit.commit({ table: "items", row: { id: kit.id(1), group_id: kit.id(2) } })
        yield* from.until(count(1))
        yield* to.until(count(1))
        yield* same(
          "operations",
          [operations(from.log()), operations(to.log())],
          [[`delete ${kit.id(1)}`], [`insert ${kit.id(1)}`]],
        )
        const at = (reader: Reader) =>
          changesIn(reader.log()).map(({ headers }) => [headers.lsn, headers.op_position])
        yield* same("place in the log", at(from), at(to))
        yield* from.stop
        yield* to.stop
      }),
  ],
  [
    "tags the rows of a subquery shape, and takes them out by a move-out alone when their parent leaves, deleted with it or not",
    (kit) =>
      Effect.gen(function* () {
        yield* kit.commit(kit.group(1), kit.group(2), kit.item(1, 1), kit.item(2, 2), kit.item(3, 2))
        const reader = yield* kit.read("all")
        yield* reader.caughtUp
        const rows = changesIn(reader.batches.flatMap(({ messages }) => messages))
        const tags = new Map(rows.map(({ headers, value }) => [value["id"], headers.tags?.[0]]))
        yield* same("tagged rows", [...tags.values()].filter((tag) => tag !== undefined).length, 3)
        yield* same("rows of one parent share a tag", tags.get(kit.id(2)) === tags.get(kit.id(3)), true)
        yield* kit.commit(kit.group(1, "somebody else"))
        // A server may tell of several transactions in one event.
        yield* reader.until((log) => log.some(isMoveOut))
        yield* kit.commit(gone(kit.item(2, 2)), gone(kit.item(3, 2)), gone(kit.group(2)))
        yield* reader.until((log) => log.filter(isMoveOut).length === 2)
        yield* same("changes", operations(reader.log()), [])
        const moved = reader
          .log()
          .filter(isMoveOut)
          .map(({ headers }) => headers.patterns)
        yield* same("patterns", moved, [
          [{ pos: 0, value: tags.get(kit.id(1)) }],
          [{ pos: 0, value: tags.get(kit.id(2)) }],
        ])
        yield* reader.stop
      }),
  ],
  [
    "brings rows in by a move-in event, marked rows in their final state, and a snapshot-end",
    (kit) =>
      Effect.gen(function* () {
        yield* kit.commit(kit.item(1, 1))
        const reader = yield* kit.read("all")
        yield* reader.caughtUp
        yield* kit.commit(kit.group(1), kit.item(2, 1), {
          table: "items",
          row: { id: kit.id(2), title: "final" },
        })
        yield* reader.until((log) => log.some(isSnapshotEnd))
        const log = reader.log()
        yield* same(
          "events",
          log.filter(isEvent).map(({ headers }) => headers.event),
          ["move-in"],
        )
        yield* same(
          "order",
          [log.findIndex(isEvent) < log.findIndex(isChange), isSnapshotEnd(log.at(-1) ?? log[0]!)],
          [true, true],
        )
        const rows = changesIn(log).toSorted((a, b) =>
          (a.value["id"] ?? "") < (b.value["id"] ?? "") ? -1 : 1,
        )
        yield* same(
          "titles",
          rows.map(({ value }) => value["title"]),
          ["item 1", "final"],
        )
        yield* same(
          "marks",
          rows.map(({ headers }) => [headers.is_move_in, headers.lsn ?? null]),
          [
            [true, null],
            [true, null],
          ],
        )
        yield* reader.stop
      }),
  ],
  [
    "sends a row that moves between two visible parents as an update with its new tags and the old ones removed",
    (kit) =>
      Effect.gen(function* () {
        yield* kit.commit(kit.group(1), kit.group(2), kit.item(1, 1), kit.item(2, 2))
        const reader = yield* kit.read("all")
        yield* reader.caughtUp
        const before = changesIn(reader.batches.flatMap(({ messages }) => messages))
        const tagOf = (n: number) => before.find(({ value }) => value["id"] === kit.id(n))?.headers.tags
        yield* kit.commit({ table: "items", row: { id: kit.id(1), group_id: kit.id(2) } })
        yield* reader.until(count(1))
        yield* same("operations", operations(reader.log()), [`update ${kit.id(1)}`])
        const [update] = changesIn(reader.log())
        yield* same("tags", [update?.headers.tags, update?.headers.removed_tags], [tagOf(2), tagOf(1)])
        yield* reader.stop
      }),
  ],
  [
    "resumes from a checkpoint with what came after it",
    (kit) =>
      Effect.gen(function* () {
        yield* kit.commit(kit.group(1), kit.item(1, 1))
        const first = yield* kit.read("items", 1)
        yield* first.caughtUp
        const checkpoint = first.batches.at(-1)?.checkpoint
        yield* first.stop
        yield* kit.commit(kit.item(2, 1), { table: "items", row: { id: kit.id(1), note: "seen" } })
        const second = yield* kit.read("items", 1, checkpoint)
        yield* second.until(count(2))
        yield* same("operations", operations(second.log()), [`insert ${kit.id(2)}`, `update ${kit.id(1)}`])
        yield* second.stop
      }),
  ],
]

/** Every promise of a shape server that the engine's convergence rests on. */
export const shapeServerContract: ReadonlyArray<ShapeServerCase> = cases.map(([name, run], index) => ({
  name,
  run: (harness) => Effect.scoped(run(serverKitOf(harness, index + 1))),
}))
