/**
 * What every shape source promises, as cases that any test runner can run. Exists so that the scripted source, on which the
 * reconciler is tested, and the real one cannot drift apart. It knows no runner: a case fails by failing its effect.
 *
 * An implementation brings a `ShapeSourceHarness`: its source, and a way to decide what the server behind it says.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { Batch, ShapeSource, SourceEvent } from "../ports/ShapeSource.ts"
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import type { Instance, InstanceKey } from "../protocol/Shape.ts"
import { batch, insert, update } from "./messages.ts"

/** A promise of the port that an implementation broke. */
export class ContractViolation extends Data.TaggedError("ContractViolation")<{ readonly message: string }> {}

/** The server behind a source, as the contract needs it. */
export interface ShapeSourceHarness {
  readonly source: ShapeSource["Service"]
  /** Sets the log a run of this key reads from its resume point; the run then waits for more. */
  readonly serve: (key: InstanceKey, chunks: ReadonlyArray<Batch>) => Effect.Effect<void>
  /** Appends to the log; a waiting run sees it. */
  readonly append: (key: InstanceKey, chunk: Batch) => Effect.Effect<void>
  /** Voids the handle while a run waits, and serves a new log under a new handle. */
  readonly rotate: (key: InstanceKey, chunks: ReadonlyArray<Batch>) => Effect.Effect<void>
  /** Makes a waiting run fail because the server is overloaded and asks for a pause of at least 7 s. */
  readonly overload: (key: InstanceKey) => Effect.Effect<void>
  /** Where each run so far asked to resume. */
  readonly resumes: (key: InstanceKey) => ReadonlyArray<Checkpoint | null>
  /** Batches that have left the server for this key. */
  readonly sent: (key: InstanceKey) => number
  /** Requests (or runs) of this key that are open now. */
  readonly open: (key: InstanceKey) => number
  /** Lets what is under way go on for a moment. */
  readonly pause: Effect.Effect<void>
}

export interface ContractCase {
  /** A sentence in the present tense. */
  readonly name: string
  readonly run: (harness: ShapeSourceHarness) => Effect.Effect<void, unknown>
}

/** Batches the official client may have fetched ahead of the one that is not acknowledged. */
export const maxPrefetched = 3

/** An instance of one table with three columns, for tests of sources. */
export const contractInstance = (key: InstanceKey, priority = 0): Instance => ({
  key,
  node: key,
  table: "items",
  bindings: { owner: "7" },
  clientParams: {},
  definition: {
    table: key,
    where: "owner = $1",
    params: { "1": "7" },
    columns: ["id", "name", "active"],
    replica: "default",
    log: "full",
  },
  hash: "0123456789abcdef0123456789abcdef",
  tagged: false,
  priority,
})

const snapshot = (handle: string): Batch =>
  batch({ handle, offset: "0_0", messages: [insert("items", { id: "1", name: "one" })], upToDate: false })
const caughtUp = (handle: string): Batch => batch({ handle, offset: "0_inf" })
const change = (handle: string, transaction: number): Batch =>
  batch({
    handle,
    offset: `${transaction}_0`,
    messages: [update("items", { id: "1", name: `name ${transaction}` }, { lsn: transaction })],
  })

/** The promises; run each with a fresh harness. */
export const shapeSourceContract: ReadonlyArray<ContractCase> = [
  {
    name: "starts from the beginning without a checkpoint and delivers batches in order with their own checkpoints",
    run: (harness) =>
      Effect.gen(function* () {
        yield* harness.serve("a", [snapshot("h1"), caughtUp("h1"), change("h1", 5), change("h1", 6)])
        const seen = yield* collect(harness, "a", null, 4)
        yield* equal(offsets(seen), ["0_0", "0_inf", "5_0", "6_0"], "offsets")
        yield* equal(
          seen.map((event) => isBatch(event) && event.upToDate),
          [false, true, true, true],
          "up-to-date",
        )
        yield* equal(names(seen), ["one", "name 5", "name 6"], "messages")
        yield* equal(harness.resumes("a"), [null], "resume points")
      }),
  },
  {
    name: "resumes from a checkpoint and delivers only what comes after it",
    run: (harness) =>
      Effect.gen(function* () {
        const checkpoint = { handle: "h1", offset: "5_0" }
        yield* harness.serve("a", [change("h1", 6)])
        const seen = yield* collect(harness, "a", checkpoint, 1)
        yield* equal(offsets(seen), ["6_0"], "offsets")
        yield* equal(harness.resumes("a"), [checkpoint], "resume points")
      }),
  },
  {
    name: "delivers what is appended while it waits",
    run: (harness) =>
      Effect.gen(function* () {
        yield* harness.serve("a", [snapshot("h1"), caughtUp("h1")])
        const run = yield* start(harness, "a", null)
        yield* eventually(harness, () => batches(run.seen).length === 2, "the snapshot arrives")
        yield* harness.append("a", change("h1", 5))
        yield* eventually(harness, () => names(run.seen).includes("name 5"), "the change arrives")
        yield* Fiber.interrupt(run.fiber)
      }),
  },
  {
    name: "runs no further ahead of the consumer than the protocol's prefetch",
    run: (harness) =>
      Effect.gen(function* () {
        const chunks = Array.from({ length: 12 }, (_, index) =>
          batch({
            handle: "h1",
            offset: `0_${index}`,
            messages: [insert("items", { id: String(index) })],
            upToDate: false,
          }),
        )
        yield* harness.serve("a", [...chunks, caughtUp("h1")])
        const gate = { open: false }
        const run = yield* start(harness, "a", null, gate)
        yield* eventually(harness, () => batches(run.seen).length === 1, "the first batch arrives")
        for (let turn = 0; turn < 10; turn += 1) yield* harness.pause
        yield* check(
          harness.sent("a") <= 1 + maxPrefetched,
          `${harness.sent("a")} batches were sent for one pulled`,
        )
        gate.open = true
        yield* eventually(harness, () => batches(run.seen).length === 13, "the rest arrives")
        yield* equal(offsets(run.seen).slice(0, 3), ["0_0", "0_1", "0_2"], "offsets")
        yield* Fiber.interrupt(run.fiber)
      }),
  },
  {
    name: "says must-refetch when the handle is void and goes on with the new one from the beginning",
    run: (harness) =>
      Effect.gen(function* () {
        yield* harness.serve("a", [snapshot("h1"), caughtUp("h1")])
        const run = yield* start(harness, "a", null)
        yield* eventually(harness, () => batches(run.seen).length === 2, "the snapshot arrives")
        yield* harness.rotate("a", [snapshot("h2"), caughtUp("h2")])
        yield* eventually(harness, () => batches(run.seen).length === 4, "the new snapshot arrives")
        const order = run.seen.filter((event) => event._tag !== "Signal")
        yield* equal(
          order.map((event) => (isBatch(event) ? event.checkpoint.handle : event._tag)),
          ["h1", "h1", "MustRefetch", "h2", "h2"],
          "order",
        )
        yield* Fiber.interrupt(run.fiber)
      }),
  },
  {
    name: "ends with the reason of a failure, after the batches before it",
    run: (harness) =>
      Effect.gen(function* () {
        yield* harness.serve("a", [snapshot("h1"), caughtUp("h1")])
        const run = yield* start(harness, "a", null)
        yield* eventually(harness, () => batches(run.seen).length === 2, "the snapshot arrives")
        yield* harness.overload("a")
        const error = yield* Effect.flip(Fiber.join(run.fiber))
        yield* equal(error.key, "a", "key of the error")
        yield* equal(error.reason._tag, "Overloaded", "reason")
        yield* check(
          error.retryAfterMillis >= 7000,
          `retry-after is ${error.retryAfterMillis} ms, not at least 7000`,
        )
        yield* eventually(harness, () => harness.open("a") === 0, "nothing stays open")
      }),
  },
  {
    name: "closes its request when interrupted, while waiting and while the consumer is busy",
    run: (harness) =>
      Effect.gen(function* () {
        yield* harness.serve("a", [snapshot("h1"), caughtUp("h1")])
        const waiting = yield* start(harness, "a", null)
        yield* eventually(
          harness,
          () => batches(waiting.seen).length === 2 && harness.open("a") === 1,
          "it waits",
        )
        yield* Fiber.interrupt(waiting.fiber)
        yield* eventually(harness, () => harness.open("a") === 0, "the waiting request is closed")
        const busy = yield* start(harness, "a", null, { open: false })
        yield* eventually(harness, () => batches(busy.seen).length === 1, "the first batch arrives")
        yield* Fiber.interrupt(busy.fiber)
        yield* eventually(harness, () => harness.open("a") === 0, "the prefetched requests are closed")
        yield* equal(harness.source.connections().open, 0, "open connections")
      }),
  },
  {
    name: "keeps instances apart",
    run: (harness) =>
      Effect.gen(function* () {
        yield* harness.serve("a", [snapshot("a1"), caughtUp("a1")])
        yield* harness.serve("b", [caughtUp("b1")])
        const a = yield* start(harness, "a", null)
        const b = yield* start(harness, "b", null)
        yield* eventually(
          harness,
          () => batches(a.seen).length === 2 && batches(b.seen).length === 1,
          "both arrive",
        )
        yield* harness.overload("a")
        yield* Effect.flip(Fiber.join(a.fiber))
        yield* harness.append("b", change("b1", 9))
        yield* eventually(harness, () => batches(b.seen).length === 2, "b goes on")
        yield* Fiber.interrupt(b.fiber)
      }),
  },
]

const isBatch = (event: SourceEvent): event is Batch => event._tag === "Batch"
const batches = (events: ReadonlyArray<SourceEvent>): ReadonlyArray<Batch> => events.filter(isBatch)
const offsets = (events: ReadonlyArray<SourceEvent>): ReadonlyArray<string> =>
  batches(events).map((event) => event.checkpoint.offset)
const names = (events: ReadonlyArray<SourceEvent>): ReadonlyArray<string | null | undefined> =>
  batches(events).flatMap((event) =>
    event.messages.map((message) => ("key" in message ? message.value["name"] : null)),
  )

const collect = (harness: ShapeSourceHarness, key: InstanceKey, resume: Checkpoint | null, count: number) =>
  harness.source
    .changes(contractInstance(key), resume)
    .pipe(Stream.filter(isBatch), Stream.take(count), Stream.runCollect)

/** Starts a consumer that keeps what it sees; with a closed gate it stays busy with its first batch. */
const start = (
  harness: ShapeSourceHarness,
  key: InstanceKey,
  resume: Checkpoint | null,
  gate = { open: true },
) =>
  Effect.gen(function* () {
    const seen: Array<SourceEvent> = []
    const busy = Effect.suspend(() => harness.pause).pipe(Effect.repeat({ until: () => gate.open }))
    const fiber = yield* harness.source.changes(contractInstance(key), resume).pipe(
      Stream.runForEach((event) =>
        Effect.suspend(() => {
          seen.push(event)
          return isBatch(event) && !gate.open ? busy : Effect.void
        }),
      ),
      Effect.forkChild,
    )
    return { seen, fiber }
  })

const maxPauses = 300

const eventually = (
  harness: ShapeSourceHarness,
  holds: () => boolean,
  what: string,
): Effect.Effect<void, ContractViolation> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < maxPauses; turn += 1) {
      if (holds()) return
      yield* harness.pause
    }
    return yield* new ContractViolation({ message: `never happens: ${what}` })
  })

const check = (holds: boolean, message: string): Effect.Effect<void, ContractViolation> =>
  holds ? Effect.void : Effect.fail(new ContractViolation({ message }))

const equal = (actual: unknown, expected: unknown, what: string): Effect.Effect<void, ContractViolation> =>
  check(
    JSON.stringify(actual) === JSON.stringify(expected),
    `${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`,
  )
