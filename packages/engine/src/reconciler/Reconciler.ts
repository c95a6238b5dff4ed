/**
 * The loop: wait for inputs or time, take them into the world, commit what is ready, derive what is desired, collect what
 * is revoked, admit and start what may run, publish status. One fiber does all of it, so no two decisions can race; inputs
 * that arrive during a commit share the next one. Level-triggered: every pass works from what is, not from what happened.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { GraphData } from "../graph/Graph.ts"
import { EngineConfig } from "../ports/EngineConfig.ts"
import { HostSignals } from "../ports/HostSignals.ts"
import { LocalStore, type StoreError } from "../ports/LocalStore.ts"
import { ShapeSource } from "../ports/ShapeSource.ts"
import type { EngineStatus } from "../protocol/InstanceStatus.ts"
import type { CommitNotice } from "../protocol/Lease.ts"
import { type Store, collectNoted, commitReady, discardNoted, linkBelow, refreshDemand } from "./Commits.ts"
import { demandRoots, noChange } from "./Desired.ts"
import type { Input } from "./Input.ts"
import { takeInput } from "./Inputs.ts"
import { restore } from "./Restore.ts"
import { type Runs, startWanted, stopNoted } from "./Runs.ts"
import { engineStatus } from "./Status.ts"
import { admit, expire, nextDue, send, settle, takeIn } from "./Steps.ts"
import { makeWorld, type World } from "./World.ts"

/** How long a pass waits before trying a failed store again. */
export const storeRetryMillis = 1_000

export interface ReconcilerOptions {
  readonly graph: GraphData
  /** All graph parameters as Postgres text. */
  readonly params: Readonly<Record<string, string>>
}

/** What the engine's service is built from. */
export interface Reconciler {
  readonly world: World
  readonly store: Store
  readonly inputs: Queue.Queue<Input>
  readonly status: SubscriptionRef.SubscriptionRef<EngineStatus>
  readonly commits: PubSub.PubSub<CommitNotice>
}

interface Loop extends Reconciler {
  readonly runs: Runs
  publishedAt: number
}

const publish = Effect.fnUntraced(function* (loop: Loop, now: number) {
  const { world } = loop
  world.statusDirty = false
  loop.publishedAt = now
  const previous = yield* SubscriptionRef.get(loop.status)
  yield* SubscriptionRef.set(loop.status, engineStatus(world, loop.runs.source.connections(), previous))
})

const notify = (loop: Loop, tables: ReadonlyArray<string>): Effect.Effect<unknown> =>
  tables.length === 0 ? Effect.void : PubSub.publish(loop.commits, { tables })

/** Stops what was noted and tells the machine, so that a drained instance is gone. */
const stop = Effect.fnUntraced(function* (loop: Loop) {
  const now = yield* Clock.currentTimeMillis
  for (const record of yield* stopNoted(loop.world, loop.runs, now))
    if (record.state?._tag === "Draining") send(loop.world, record, { _tag: "Drained" }, now)
})

/** Works until nothing more can be done without a new input or the passing of time. */
const pass = Effect.fnUntraced(function* (loop: Loop) {
  const { store, world } = loop
  for (;;) {
    yield* stop(loop)
    yield* discardNoted(world, store)
    // First of all, so that a collection the store refused earlier can never take rows of a newer run.
    yield* notify(loop, yield* collectNoted(world, store))
    // Owners whose rows could not be read last time: nothing commits on a demand they may have withdrawn.
    const readBefore = yield* refreshDemand(world, store)
    const committed = yield* commitReady(world, store)
    if (committed !== null) yield* notify(loop, committed)
    const read = (yield* refreshDemand(world, store)) || readBefore
    const now = yield* Clock.currentTimeMillis
    const gone = expire(world, now)
    yield* stop(loop)
    yield* notify(loop, yield* collectNoted(world, store))
    admit(world, now)
    const started = yield* startWanted(world, loop.runs, now)
    if (committed === null && !read && !gone && started === 0) break
  }
  settle(world)
})

const wipe = Effect.fnUntraced(function* (loop: Loop, done: Deferred.Deferred<void, StoreError>) {
  const { world } = loop
  world.closed = true
  yield* FiberMap.clear(loop.runs.fibers)
  for (const set of [
    world.records,
    world.attention,
    world.stops,
    world.collects,
    world.discards,
    world.dirtyOwners,
  ])
    set.clear()
  yield* Deferred.completeWith(done, loop.store.wipe)
  const tables = Object.keys(world.graph.tables)
  yield* notify(loop, tables)
  yield* publish(loop, yield* Clock.currentTimeMillis)
})

const takeInputs = Effect.fnUntraced(function* (loop: Loop, inputs: ReadonlyArray<Input>) {
  for (const input of inputs) {
    if (input._tag === "Wipe") yield* wipe(loop, input.done)
    if (loop.world.closed) {
      if ("known" in input) yield* Deferred.succeed(input.known, false)
      continue
    }
    const random = yield* Random.next
    const answer = takeInput(loop.world, input, random, yield* Clock.currentTimeMillis)
    if (answer !== null) yield* Deferred.succeed(answer.input.known, answer.known)
  }
})

/** Waits for inputs, or until something is due; takes all that are there. */
const awaitInputs = Effect.fnUntraced(function* (loop: Loop) {
  const now = yield* Clock.currentTimeMillis
  const due = loop.world.closed ? null : nextDue(loop.world)
  const publishAt = loop.world.statusDirty ? loop.publishedAt + loop.world.config.statusIntervalMillis : null
  const at = due === null ? publishAt : publishAt === null ? due : Math.min(due, publishAt)
  const take = Queue.take(loop.inputs)
  if (at === null) {
    const first = yield* take
    return [first, ...(yield* Queue.clear(loop.inputs))]
  }
  const first = yield* take.pipe(Effect.timeoutOption(Math.max(0, at - now)))
  return Option.isNone(first) ? [] : [first.value, ...(yield* Queue.clear(loop.inputs))]
})

const forever = (loop: Loop): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* takeInputs(loop, yield* awaitInputs(loop))
    if (!loop.world.closed) yield* pass(loop)
    const now = yield* Clock.currentTimeMillis
    if (loop.world.statusDirty && now - loop.publishedAt >= loop.world.config.statusIntervalMillis)
      yield* publish(loop, now)
  }).pipe(
    Effect.catch((error) =>
      Effect.gen(function* () {
        loop.world.journal.add(yield* Clock.currentTimeMillis, null, "store-failed", error.message)
        yield* Effect.logWarning(error.message)
        yield* Effect.sleep(storeRetryMillis)
        yield* Queue.offer(loop.inputs, { _tag: "Wake" })
      }),
    ),
    Effect.forever,
  )

/** Starts the loop in the surrounding scope. Fails only when the store cannot be read at the start. */
export const make = Effect.fn("Reconciler.make")(function* (options: ReconcilerOptions) {
  const store = yield* LocalStore
  const source = yield* ShapeSource
  const signals = yield* HostSignals
  const config = yield* EngineConfig
  const world = makeWorld(options.graph, options.params, config)
  const inputs = yield* Queue.unbounded<Input>()
  const runs: Runs = { inputs, source, fibers: yield* FiberMap.make<string>() }
  const status = yield* SubscriptionRef.make(engineStatus(world, source.connections(), null))
  const commits = yield* PubSub.sliding<CommitNotice>(config.journalCapacity)
  const loop: Loop = { world, store, inputs, status, commits, runs, publishedAt: 0 }

  const now = yield* Clock.currentTimeMillis
  restore(world, yield* store.instances, now)
  const change = noChange()
  demandRoots(world, now, change)
  takeIn(world, change, "unleased", now)
  yield* refreshDemand(world, store)
  yield* linkBelow(world, store)
  world.ready = true
  yield* publish(loop, now)

  yield* signals.changes.pipe(
    Stream.runForEach((signal) => Queue.offer(inputs, { _tag: "Host", signal })),
    Effect.forkScoped,
  )
  yield* Queue.offer(inputs, { _tag: "Wake" })
  yield* forever(loop).pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("the reconciler stopped", cause),
    ),
    Effect.forkScoped,
  )
  const reconciler: Reconciler = { world, store, inputs, status, commits }
  return reconciler
})
