/**
 * What the contract of shape servers is written with: a small graph, readers that keep what a server says, and rows of a case's own.
 * Used by the contract only.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { eq, Graph, identity, param } from "../graph/index.ts"
import type { Batch, ShapeSource } from "../ports/ShapeSource.ts"
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import { compileInstance } from "../protocol/compile.ts"
import type { Message } from "../protocol/Message.ts"
import type { Instance } from "../protocol/Shape.ts"
import type { Write } from "./model/ModelDatabase.ts"
import { ContractViolation } from "./shapeSourceContract.ts"

/** Tables and shapes of the contract. The server has `groups` and `items` with these columns, both with the key `id`. */
export const serverContractGraph = Graph.make({
  name: "servers",
  params: { owner: identity("text") },
  tables: {
    groups: { columns: { id: "int4", owner: "text" } },
    items: { columns: { id: "int4", group_id: "int4", title: "text", note: "text?" } },
  },
  nodes: {
    groups: { table: "groups", where: eq("owner", param("owner")), key: "owner-{owner}-groups" },
    items: { table: "items", parent: "groups", on: { group_id: "id" }, key: "group-{id}-items" },
    all: {
      table: "items",
      parent: "groups",
      on: { group_id: "id" },
      per: "root",
      key: "owner-{owner}-items",
    },
  },
})

/** A server under test. */
export interface ShapeServerHarness {
  /** A source that asks the server for shapes of {@link serverContractGraph} with this owner. */
  readonly source: (owner: string) => ShapeSource["Service"]
  /** Commits one transaction: rows that are whole are put, partial ones are updated. */
  readonly commit: (writes: ReadonlyArray<Write>) => Effect.Effect<void, unknown>
  /** Lets what is under way go on for a moment. */
  readonly pause: Effect.Effect<void>
}

/** What a case works with: its own owner and ids, so that cases on one server do not meet. */
export interface ServerKit {
  readonly harness: ShapeServerHarness
  readonly group: (n: number, owner?: string) => Write
  readonly item: (n: number, group: number) => Write
  readonly id: (n: number) => string
  readonly commit: (...writes: ReadonlyArray<Write>) => Effect.Effect<void, unknown>
  readonly read: (node: "items" | "all", group?: number, resume?: Checkpoint) => Effect.Effect<Reader>
}

export interface Reader {
  readonly batches: Array<Batch>
  /** Changes, events and snapshot-ends after the first up-to-date (after the start when resumed). */
  readonly log: () => ReadonlyArray<Message>
  /** Waits until the log satisfies this, then until the server has nothing more to say. */
  readonly until: (holds: (log: ReadonlyArray<Message>) => boolean) => Effect.Effect<void, ContractViolation>
  readonly caughtUp: Effect.Effect<void, ContractViolation>
  readonly stop: Effect.Effect<void>
}

const maxPauses = 600
const quietPauses = 8

const waitFor = (harness: ShapeServerHarness, holds: () => boolean, what: () => string) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < maxPauses; turn++) {
      if (holds()) return
      yield* harness.pause
    }
    return yield* new ContractViolation({ message: `never happens: ${what()}` })
  })

const openReader = Effect.fnUntraced(function* (
  harness: ShapeServerHarness,
  instance: Instance,
  owner: string,
  resume: Checkpoint | null,
) {
  const batches: Array<Batch> = []
  const fiber = yield* harness
    .source(owner)
    .changes(instance, resume)
    .pipe(
      Stream.runForEach((event) => Effect.sync(() => void (event._tag === "Batch" && batches.push(event)))),
      Effect.forkChild({ startImmediately: true }),
    )
  const log = (): ReadonlyArray<Message> => {
    const first = resume === null ? batches.findIndex(({ upToDate }) => upToDate) + 1 : 0
    return batches.slice(first).flatMap(({ messages }) => messages)
  }
  const reader: Reader = {
    batches,
    log,
    until: (holds) =>
      Effect.andThen(
        waitFor(
          harness,
          () => holds(log()),
          () => `the log is ${JSON.stringify(log())}`,
        ),
        Effect.repeat(harness.pause, { times: quietPauses }),
      ),
    caughtUp: waitFor(
      harness,
      () => batches.some(({ upToDate }) => upToDate),
      () => "an up-to-date",
    ),
    stop: Effect.asVoid(Fiber.interrupt(fiber)),
  }
  return reader
})

export const serverKitOf = (harness: ShapeServerHarness, number: number): ServerKit => {
  const owner = `owner${number}`
  const id = (n: number): string => String(number * 1_000 + n)
  return {
    harness,
    id,
    group: (n, other = owner) => ({ table: "groups", row: { id: id(n), owner: other } }),
    item: (n, group) => ({
      table: "items",
      row: { id: id(n), group_id: id(group), title: `item ${n}`, note: null },
    }),
    commit: (...writes) => harness.commit(writes),
    read: (node, group, resume) => {
      const bindings: Record<string, string> = group === undefined ? {} : { group_id: id(group) }
      const instance = compileInstance(serverContractGraph, node, bindings, { owner })
      return openReader(harness, instance, owner, resume ?? null)
    },
  }
}
