/**
 * The loop: wait for inputs or time, take them into the world, commit what is ready, derive what is desired, collect what
 * is revoked, admit and start what may run, publish status. One fiber does all of it, so no two decisions can race; inputs
 * that arrive during a commit share the next one. Level-triggered: every pass works from what is, not from what happened.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { GraphData } from "../graph/Graph.ts"
import { Credentials, type CredentialsShape } from "../ports/Credentials.ts"
import { Broadcast } from "../ports/Broadcast.ts"
import { EngineConfig } from "../ports/EngineConfig.ts"
import { HostSignals } from "../ports/HostSignals.ts"
import { LocalStore, type StoreError } from "../ports/LocalStore.ts"
import { ShapeSource, type SourceWait } from "../ports/ShapeSource.ts"
import { CompileError } from "../protocol/CompileError.ts"
import type { EngineStatus } from "../protocol/InstanceStatus.ts"
import type { CommitNotice } from "../protocol/Lease.ts"
import type { RequestEntry } from "../protocol/RequestEntry.ts"
import { type Store, collectNoted, commitReady, discardNoted } from "./Commits.ts"
import { linkBelow, refreshDemand } from "./DemandReads.ts"
import { demandRoots, noChange } from "./Desired.ts"
import type { Input } from "./Input.ts"
import { takeInput } from "./Inputs.ts"
import { changeParams, retire } from "./Params.ts"
import { restore } from "./Restore.ts"
import { type ClockReading, clockJump, expireStuck, noteJump, watchDue } from "./ClockWatch.ts"
import { expirePauses, pauseDue } from "./Pauses.ts"
import { type Prefer, preferLeased } from "./Preferred.ts"
import { endRuns, makeRuns, type Runs, startWanted, stopNoted } from "./Runs.ts"
import { engineStatus } from "./Status.ts"
import { nextDue } from "./Agenda.ts"
import { admit, expire, send, takeIn } from "./Steps.ts"
import { clearWorld } from "./Owners.ts"
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
  /** The status as of now. */
  readonly status: () => EngineStatus
  /** The source's last requests, oldest first. */
  readonly requests: () => ReadonlyArray<RequestEntry>
  /** Says that the status changed. */
  readonly published: Broadcast<void>
  readonly commits: Broadcast<CommitNotice>
  /** What holds back the next request of an instance in the source. */
  readonly waits: (key: string) => SourceWait | null
}

interface Loop extends Reconciler {
  readonly runs: Runs
  readonly credentials: CredentialsShape
  readonly prefer: Prefer
  publishedAt: number
  clocks: ClockReading | null
  /** When the loop meant to wake. */
  wakeAt: number | null
}

/** Says that the status changed. What it is now, whoever listens computes: with nobody listening it costs nothing. */
const publish = (loop: Loop, now: number): Effect.Effect<void> => {
  loop.world.statusDirty = false
  loop.publishedAt = now
  return Effect.sync(() => loop.published.publish())
}

const notify = (loop: Loop, tables: ReadonlyArray<string>): Effect.Effect<void> =>
  tables.length === 0 ? Effect.void : Effect.sync(() => loop.commits.publish({ tables }))

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
    if (world.retiring.length > 0) takeIn(world, retire(world), "unleased", yield* Clock.currentTimeMillis)
    const now = yield* Clock.currentTimeMillis
    expirePauses(world, now)
    expireStuck(world, yield* Random.next, now)
    const gone = expire(world, now)
    preferLeased(world, loop.prefer)
    yield* stop(loop)
    yield* notify(loop, yield* collectNoted(world, store))
    admit(world, now)
    const started = yield* startWanted(world, loop.runs, now)
    if (committed === null && !read && !gone && started === 0) break
  }
})

const wipe = Effect.fnUntraced(function* (loop: Loop, done: Deferred.Deferred<void, StoreError>) {
  const { world } = loop
  world.closed = true
  yield* endRuns(loop.runs, [...loop.runs.scopes.keys()])
  clearWorld(world)
  yield* Deferred.completeWith(done, loop.store.wipe)
  const tables = Object.keys(world.graph.tables)
  yield* notify(loop, tables)
  yield* publish(loop, yield* Clock.currentTimeMillis)
})

const setParams = Effect.fnUntraced(function* (world: World, input: Extract<Input, { _tag: "SetParams" }>) {
  const now = yield* Clock.currentTimeMillis
  const change = changeParams(world, input.params, now)
  if (change instanceof CompileError) yield* Deferred.fail(input.done, change)
  else {
    takeIn(world, change, "unleased", now)
    yield* Deferred.succeed(input.done, undefined)
  }
})

const takeInputs = Effect.fnUntraced(function* (loop: Loop, inputs: ReadonlyArray<Input>) {
  for (const input of inputs) {
    if (input._tag === "Wipe") yield* wipe(loop, input.done)
    if (loop.world.closed) {
      if ("known" in input) yield* Deferred.succeed(input.known, false)
      if (input._tag === "SetParams") yield* Deferred.succeed(input.done, undefined)
      continue
    }
    if (input._tag === "SetParams") yield* setParams(loop.world, input)
    // A run that failed has nothing left to do, but its scope is still open.
    if (input._tag === "Ended" && loop.world.records.get(input.key)?.run === input.run)
      yield* endRuns(loop.runs, [input.key])
    const random = yield* Random.next
    const answer = takeInput(loop.world, input, random, yield* Clock.currentTimeMillis)
    if (answer !== null) yield* Deferred.succeed(answer.input.known, answer.known)
  }
  if (loop.world.reopenCredentials) {
    loop.world.reopenCredentials = false
    yield* loop.credentials.reopen
  }
})

const earliest = (...times: ReadonlyArray<number | null>): number | null =>
  times.reduce((first, at) => (first === null || (at !== null && at < first) ? at : first), null)

const readClocks = Effect.gen(function* () {
  return { wall: yield* Clock.currentTimeMillis, monotonic: Number(yield* Clock.monotonicTimeNanos) / 1e6 }
})

/** The host slept, or its clock was set: open requests are dead and are asked again, as few at a time as ever. */
const watchClocks = Effect.fnUntraced(function* (loop: Loop) {
  const { clocks, wakeAt, world } = loop
  const now = yield* readClocks
  const jump = clocks === null ? 0 : clockJump(clocks, now, wakeAt, world.config.clockJumpMillis)
  loop.clocks = now
  if (jump === 0) return
  noteJump(world, jump, now.wall)
  loop.runs.source.distrust?.()
})

/** Waits for inputs, or until something is due; takes all that are there. */
const awaitInputs = Effect.fnUntraced(function* (loop: Loop) {
  const { world } = loop
  const now = yield* Clock.currentTimeMillis
  const due = world.closed ? null : earliest(nextDue(world), pauseDue(world))
  const active = due !== null || loop.runs.scopes.size > 0
  const publishAt = world.statusDirty ? loop.publishedAt + world.config.statusIntervalMillis : null
  const at = earliest(due, watchDue(world, active, now), publishAt)
  loop.wakeAt = at
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
    const inputs = yield* awaitInputs(loop)
    yield* watchClocks(loop)
    yield* takeInputs(loop, inputs)
    if (!loop.world.closed)
      yield* pass(loop).pipe(Effect.withSpan("espalier.reconcile", {}, { captureStackTrace: false }))
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
  const runs = yield* makeRuns(inputs, source)
  const published = new Broadcast<void>()
  const status = (): EngineStatus => engineStatus(world, source.connections())
  const requests = (): ReadonlyArray<RequestEntry> => source.requests?.() ?? []
  const commits = new Broadcast<CommitNotice>()
  const credentials = yield* Credentials
  const waits = (key: string): SourceWait | null => source.waits?.(key) ?? null
  const prefer: Prefer = (key, leased) => source.prefer?.(key, leased)
  const loop: Loop = {
    world,
    store,
    inputs,
    status,
    requests,
    published,
    commits,
    runs,
    credentials,
    waits,
    prefer,
    publishedAt: 0,
    clocks: null,
    wakeAt: null,
  }

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
  yield* credentials.changes.pipe(
    Stream.runForEach(() => Queue.offer(inputs, { _tag: "Credentials" })),
    Effect.forkScoped,
  )
  yield* Queue.offer(inputs, { _tag: "Wake" })
  yield* forever(loop).pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("the reconciler stopped", cause),
    ),
    Effect.forkScoped,
  )
  const reconciler: Reconciler = { world, store, inputs, status, requests, published, commits, waits }
  return reconciler
})
