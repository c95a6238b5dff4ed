/**
 * A shape source that says exactly what a test tells it to: the test pushes batches, refetches and failures by instance key
 * and reads back which runs there were and where they resumed. Exists so that the reconciler can be driven through every order
 * of events on a virtual clock. It opens no connection, keeps no rows, and invents nothing that was not scripted.
 *
 * Each call of `changes` that is run is one *run* of that key, with its own queue:
 *
 *   running ──pull──▶ (event) … ──▶ failed | ended        by script
 *      └──────────────────────────▶ interrupted           by the consumer
 *
 * Gotchas: what is pushed while a key has no run waits for its next run, behind that run's `onStart` script. When two runs of a
 * key overlap (a consumer's defect worth seeing), pushes go to the newest.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Checkpoint } from "../../protocol/Checkpoint.ts"
import type { Instance, InstanceKey } from "../../protocol/Shape.ts"
import type { Message } from "../../protocol/Message.ts"
import { ShapeError, type ShapeErrorReason } from "../../protocol/ShapeError.ts"
import { ShapeSource, type Batch, type SourceEvent } from "../../ports/ShapeSource.ts"

/** One step of a script. `Hang` delivers nothing further until `release(key)`; `Fail` and `End` close the run. */
export type ScriptStep =
  | SourceEvent
  | { readonly _tag: "Fail"; readonly reason: ShapeErrorReason }
  | { readonly _tag: "End" }
  | { readonly _tag: "Hang" }

/** Steps a run starts with. `run` counts the runs of the key from 1. */
export type StartScript = (start: {
  readonly instance: Instance
  readonly resume: Checkpoint | null
  readonly run: number
}) => ReadonlyArray<ScriptStep>

/** What became of one run. */
export interface ScriptedRun {
  readonly key: InstanceKey
  /** The checkpoint it was asked to resume from; null from the start. */
  readonly resume: Checkpoint | null
  readonly instance: Instance
  readonly state: "running" | "interrupted" | "failed" | "ended"
  /** Elements handed to the consumer. */
  readonly delivered: number
  /** Elements the consumer has acknowledged by pulling the next one. */
  readonly acknowledged: number
  /** Steps scripted but not delivered yet. */
  readonly pending: number
}

interface Run {
  readonly instance: Instance
  readonly resume: Checkpoint | null
  readonly queue: Queue.Queue<ScriptStep>
  /** One token for each hang that was released. */
  readonly released: Queue.Queue<void>
  state: ScriptedRun["state"]
  hangs: number
  releases: number
  delivered: number
  acknowledged: number
}

export class ScriptedShapeSource extends Context.Service<
  ScriptedShapeSource,
  {
    /** Delivers any event to the newest run of a key, or to its next run. */
    readonly push: (key: InstanceKey, ...steps: ReadonlyArray<ScriptStep>) => Effect.Effect<void>
    /**
     * Delivers one batch that ends up-to-date. The checkpoint defaults to the key's last handle (`<key>-1` at first) and the
     * next offset (`1_0`, `2_0`, …).
     */
    readonly upToDate: (
      key: InstanceKey,
      options?: { readonly messages?: ReadonlyArray<Message>; readonly checkpoint?: Checkpoint },
    ) => Effect.Effect<void>
    /** Voids the handle; default checkpoints go on under the next handle (`<key>-2`, …). */
    readonly mustRefetch: (key: InstanceKey) => Effect.Effect<void>
    /** Ends the run with this reason, after what was pushed before. */
    readonly fail: (key: InstanceKey, reason: ShapeErrorReason) => Effect.Effect<void>
    /** Ends the run without an error, after what was pushed before. */
    readonly end: (key: InstanceKey) => Effect.Effect<void>
    /** Delivers nothing further to the run (or the next one) until `release`. */
    readonly hang: (key: InstanceKey) => Effect.Effect<void>
    /** Lets a hanging run go on. */
    readonly release: (key: InstanceKey) => Effect.Effect<void>
    /** Steps every later run of this key starts with; replaces the script set before. */
    readonly onStart: (
      key: InstanceKey,
      script: StartScript | ReadonlyArray<ScriptStep>,
    ) => Effect.Effect<void>
    /** Steps for later runs of keys without a script of their own. */
    readonly onAnyStart: (script: StartScript) => Effect.Effect<void>
    /** Keys with a run in progress, in order of start; a key twice when two of its runs overlap. */
    readonly running: () => ReadonlyArray<InstanceKey>
    /** The checkpoint each run of a key was asked to resume from, in order. */
    readonly resumes: (key: InstanceKey) => ReadonlyArray<Checkpoint | null>
    /** Every run of a key, or of all keys, in order of start. */
    readonly runs: (key?: InstanceKey) => ReadonlyArray<ScriptedRun>
  }
>()("@espalier/engine/adapters/memory/ScriptedShapeSource") {
  /** The script API and the source it drives. `maxConnections` is only what `connections()` reports. Default 4. */
  static readonly layerWith = (options: {
    readonly maxConnections?: number
  }): Layer.Layer<ScriptedShapeSource | ShapeSource> =>
    Layer.effectContext(
      Effect.sync(() => {
        const state = new Scripts()
        return Context.make(ScriptedShapeSource, scriptApi(state)).pipe(
          Context.add(
            ShapeSource,
            ShapeSource.of({
              changes: (instance, resume) => runStream(state, instance, resume),
              connections: () => ({
                open: openRuns(state).length,
                waiting: 0,
                max: options.maxConnections ?? 4,
              }),
            }),
          ),
        )
      }),
    )

  static readonly layer: Layer.Layer<ScriptedShapeSource | ShapeSource> = ScriptedShapeSource.layerWith({})
}

/** All runs and scripts of one source. */
class Scripts {
  readonly runs: Array<Run> = []
  readonly waiting = new Map<InstanceKey, Array<ScriptStep>>()
  readonly scripts = new Map<InstanceKey, StartScript>()
  readonly positions = new Map<InstanceKey, { handle: number; offset: number; last: Checkpoint | null }>()
  fallback: StartScript = () => []
}

const openRuns = (state: Scripts): ReadonlyArray<Run> => state.runs.filter((run) => run.state === "running")

const newestRun = (state: Scripts, key: InstanceKey): Run | undefined =>
  state.runs.findLast((run) => run.state === "running" && run.instance.key === key)

const scriptApi = (state: Scripts): ScriptedShapeSource["Service"] => {
  const push = (key: InstanceKey, ...steps: ReadonlyArray<ScriptStep>): Effect.Effect<void> =>
    Effect.sync(() => {
      const run = newestRun(state, key)
      for (const step of steps) {
        notePosition(state, key, step)
        if (run !== undefined) enqueue(run, step)
        else state.waiting.set(key, [...(state.waiting.get(key) ?? []), step])
      }
    })
  return {
    push,
    upToDate: (key, options = {}) =>
      Effect.suspend(() =>
        push(key, upToDateBatch(options.checkpoint ?? nextCheckpoint(state, key), options.messages)),
      ),
    mustRefetch: (key) => push(key, { _tag: "MustRefetch" }),
    fail: (key, reason) => push(key, { _tag: "Fail", reason }),
    end: (key) => push(key, { _tag: "End" }),
    hang: (key) => push(key, { _tag: "Hang" }),
    release: (key) =>
      Effect.sync(() => {
        const run = newestRun(state, key)
        if (run === undefined || run.releases >= run.hangs) return
        run.releases += 1
        Queue.offerUnsafe(run.released, undefined)
      }),
    onStart: (key, script) =>
      Effect.sync(() => {
        state.scripts.set(key, typeof script === "function" ? script : () => script)
      }),
    onAnyStart: (script) =>
      Effect.sync(() => {
        state.fallback = script
      }),
    running: () => openRuns(state).map((run) => run.instance.key),
    resumes: (key) => state.runs.filter((run) => run.instance.key === key).map((run) => run.resume),
    runs: (key) => state.runs.filter((run) => key === undefined || run.instance.key === key).map(describeRun),
  }
}

const upToDateBatch = (checkpoint: Checkpoint, messages: ReadonlyArray<Message> = []): Batch => ({
  _tag: "Batch",
  checkpoint,
  messages,
  upToDate: true,
  lastSeenLsn: null,
  bytes: 0,
})

const describeRun = (run: Run): ScriptedRun => ({
  key: run.instance.key,
  resume: run.resume,
  instance: run.instance,
  state: run.state,
  delivered: run.delivered,
  acknowledged: run.acknowledged,
  pending: Queue.sizeUnsafe(run.queue),
})

/** Default checkpoints follow what was scripted by hand, so that the two can be mixed. */
const notePosition = (state: Scripts, key: InstanceKey, step: ScriptStep): void => {
  const position = state.positions.get(key) ?? { handle: 1, offset: 0, last: null }
  state.positions.set(key, position)
  if (step._tag === "Batch") position.last = step.checkpoint
  if (step._tag === "MustRefetch") {
    position.handle += 1
    position.last = null
  }
}

const nextCheckpoint = (state: Scripts, key: InstanceKey): Checkpoint => {
  const position = state.positions.get(key) ?? { handle: 1, offset: 0, last: null }
  state.positions.set(key, position)
  position.offset = Math.max(position.offset, transactionOf(position.last)) + 1
  return { handle: position.last?.handle ?? `${key}-${position.handle}`, offset: `${position.offset}_0` }
}

const transactionOf = (checkpoint: Checkpoint | null): number => {
  const transaction = Number(checkpoint?.offset.split("_")[0] ?? 0)
  return Number.isSafeInteger(transaction) ? transaction : 0
}

const enqueue = (run: Run, step: ScriptStep): void => {
  if (step._tag === "Hang") run.hangs += 1
  Queue.offerUnsafe(run.queue, step)
}

const startRun = (state: Scripts, instance: Instance, resume: Checkpoint | null): Effect.Effect<Run> =>
  Effect.gen(function* () {
    const run: Run = {
      instance,
      resume,
      queue: yield* Queue.unbounded<ScriptStep>(),
      released: yield* Queue.unbounded<void>(),
      state: "running",
      hangs: 0,
      releases: 0,
      delivered: 0,
      acknowledged: 0,
    }
    const { key } = instance
    const runNumber = state.runs.filter((other) => other.instance.key === key).length + 1
    state.runs.push(run)
    for (const step of (state.scripts.get(key) ?? state.fallback)({ instance, resume, run: runNumber })) {
      notePosition(state, key, step)
      enqueue(run, step)
    }
    for (const step of state.waiting.get(key) ?? []) enqueue(run, step)
    state.waiting.delete(key)
    return run
  })

const runStream = (
  state: Scripts,
  instance: Instance,
  resume: Checkpoint | null,
): Stream.Stream<SourceEvent, ShapeError> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(startRun(state, instance, resume), (run) =>
        Effect.sync(() => {
          if (run.state === "running") run.state = "interrupted"
        }),
      ),
      (run) => Stream.fromPull(Effect.succeed(pullOne(run))),
    ),
  )

/** One element per pull, never a chunk of several: the next pull is the acknowledgement of this one. */
const pullOne = (run: Run): Effect.Effect<readonly [SourceEvent], ShapeError | Cause.Done<void>> =>
  Effect.gen(function* () {
    run.acknowledged = run.delivered
    for (;;) {
      const step = yield* Queue.take(run.queue)
      switch (step._tag) {
        case "Hang":
          yield* Queue.take(run.released)
          continue
        case "Fail":
          run.state = "failed"
          return yield* new ShapeError({ key: run.instance.key, reason: step.reason })
        case "End":
          run.state = "ended"
          return yield* Cause.done()
        default:
          run.delivered += 1
          return [step] as const
      }
    }
  })
