/**
 * Runs of instances: one subscription each, from a source into the reconciler's queue. A run never decides anything; it hands every
 * event over and goes on when a batch is acknowledged, so that a slow store slows its source and nothing piles up. Each lives in
 * a scope of its own; what waits in it is a listener, not a fiber.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { isActive, resumeFrom } from "../machine/InstanceState.ts"
import type { ShapeSource, SourceEvent, SourceListener, Subscribe } from "../ports/ShapeSource.ts"
import { failureOf, subscriptionTo } from "../ports/subscriptions.ts"
import type { ShapeError } from "../protocol/ShapeError.ts"
import { refresh } from "./Agenda.ts"
import type { Input } from "./Input.ts"
import { ancestorsFresh, type InstanceRecord, touch, type World } from "./World.ts"

export interface Runs {
  readonly inputs: Queue.Queue<Input>
  /** Of the instances that run, by key. */
  readonly scopes: Map<string, Scope.Closeable>
  readonly source: ShapeSource["Service"]
  readonly subscribe: Subscribe
  /** While the scope is open, the source begins no request. */
  readonly hold: Effect.Effect<void, never, Scope.Scope>
}

/** No runs yet; the surrounding scope ends those that are left. */
export const makeRuns = (
  inputs: Queue.Queue<Input>,
  source: ShapeSource["Service"],
): Effect.Effect<Runs, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Runs => ({
      inputs,
      scopes: new Map(),
      source,
      subscribe: source.subscribe ?? subscriptionTo(source.changes),
      hold: source.hold ?? Effect.void,
    })),
    (runs) => endRuns(runs, [...runs.scopes.keys()]),
  )

/** Ends runs and waits until their requests are closed. Nobody is handed a connection that another run of them gives back. */
export const endRuns = (runs: Runs, keys: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const scopes = keys.flatMap((key) => runs.scopes.get(key) ?? [])
    for (const key of keys) runs.scopes.delete(key)
    if (scopes.length === 0) return Effect.void
    const close = Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), {
      concurrency: "unbounded",
      discard: true,
    })
    return scopes.length === 1 ? close : Effect.scoped(Effect.andThen(runs.hold, close))
  })

/** Puts what a run says into the queue, with its number: what comes after its end is known by that. */
class RunListener implements SourceListener {
  readonly #inputs: Queue.Queue<Input>
  readonly #key: string
  readonly #run: number

  constructor(inputs: Queue.Queue<Input>, key: string, run: number) {
    this.#inputs = inputs
    this.#key = key
    this.#run = run
  }

  onEvent(event: SourceEvent, next: () => void): void {
    const [key, run] = [this.#key, this.#run]
    if (event._tag === "Batch") {
      Queue.offerUnsafe(this.#inputs, { _tag: "Arrived", key, run, arrived: { batch: event, ack: next } })
      return
    }
    if (event._tag === "MustRefetch") Queue.offerUnsafe(this.#inputs, { _tag: "MustRefetch", key, run })
    else Queue.offerUnsafe(this.#inputs, { _tag: "Signal", key, run, signal: event.signal })
    next()
  }

  onEnd(error: ShapeError): void {
    Queue.offerUnsafe(this.#inputs, { _tag: "Ended", key: this.#key, run: this.#run, error })
  }
}

const begin = (runs: Runs, { instance, key, run, state }: InstanceRecord): Effect.Effect<void> =>
  Effect.suspend(() => {
    const resume = state !== null && isActive(state) ? resumeFrom(state) : null
    const listener = new RunListener(runs.inputs, key, run)
    const scope = Scope.makeUnsafe()
    runs.scopes.set(key, scope)
    return runs.subscribe(instance, resume, listener).pipe(
      Scope.provide(scope),
      Effect.catchCause((cause) => Effect.sync(() => listener.onEnd(failureOf(key, cause)))),
    )
  })

/** Ends the runs that were noted and waits until their requests are closed. */
export const stopNoted = Effect.fnUntraced(function* (world: World, runs: Runs, now: number) {
  const noted = [...world.stops].toSorted((a, b) => b.depth - a.depth)
  world.stops.clear()
  for (const record of noted) {
    record.run = ++world.lastRun
    record.arrived = null
    record.buffer = []
    record.fresh = false
    record.slot = false
    touch(world, record)
    world.journal.add(now, record.key, "stop", "")
  }
  yield* endRuns(
    runs,
    noted.map(({ key }) => key),
  )
  return noted
})

/** Starts the runs that are wanted and whose ancestors are current, parents first. */
export const startWanted = Effect.fnUntraced(function* (world: World, runs: Runs, now: number) {
  refresh(world)
  const wanted = [...world.agenda.wanting]
    .filter((record) => record.wantsStart && ancestorsFresh(world, record))
    .toSorted(
      (a, b) =>
        a.depth - b.depth || Number(b.preferred) - Number(a.preferred) || b.node.priority - a.node.priority,
    )
  for (const record of wanted) {
    record.wantsStart = false
    record.run = ++world.lastRun
    record.fresh = false
    record.buffer = []
    record.heardAt = now
    touch(world, record)
    world.journal.add(now, record.key, "start", record.state?._tag ?? "")
    yield* endRuns(runs, [record.key])
    yield* begin(runs, record)
  }
  return wanted.length
})
