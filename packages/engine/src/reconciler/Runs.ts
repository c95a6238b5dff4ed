/**
 * Runs of instances: one fiber each, from a source into the reconciler's queue. A run never decides anything; it hands
 * every event over and waits until a batch is acknowledged, so that a slow store slows its source and nothing piles up.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { isActive, resumeFrom } from "../machine/InstanceState.ts"
import type { ShapeSource, SourceEvent } from "../ports/ShapeSource.ts"
import { ShapeError, SourceEnded } from "../protocol/ShapeError.ts"
import { refresh } from "./Agenda.ts"
import type { Input } from "./Input.ts"
import { ancestorsFresh, type InstanceRecord, touch, type World } from "./World.ts"

export interface Runs {
  readonly inputs: Queue.Queue<Input>
  readonly fibers: FiberMap.FiberMap<string>
  readonly source: ShapeSource["Service"]
}

const ended = (key: string, message: string): ShapeError =>
  new ShapeError({ key, reason: new SourceEnded({ message }) })

const failureOf = (key: string, cause: Cause.Cause<ShapeError>): ShapeError => {
  const error = Cause.squash(cause)
  return error instanceof ShapeError ? error : ended(key, `the source broke: ${String(error)}`)
}

const handOver = Effect.fnUntraced(function* (runs: Runs, key: string, run: number, event: SourceEvent) {
  switch (event._tag) {
    case "Batch": {
      const ack = yield* Deferred.make<void>()
      yield* Queue.offer(runs.inputs, { _tag: "Arrived", key, run, arrived: { batch: event, ack } })
      return yield* Deferred.await(ack)
    }
    case "MustRefetch":
      yield* Queue.offer(runs.inputs, { _tag: "MustRefetch", key, run })
      return
    case "Signal":
      yield* Queue.offer(runs.inputs, { _tag: "Signal", key, run, signal: event.signal })
      return
  }
})

/** One run, from its start to its failure; interruption ends it silently. */
const run = Effect.fnUntraced(function* (runs: Runs, record: InstanceRecord, number: number) {
  const { instance, key } = record
  const resume = record.state !== null && isActive(record.state) ? resumeFrom(record.state) : null
  const end = (error: ShapeError): Effect.Effect<unknown> =>
    Queue.offer(runs.inputs, { _tag: "Ended", key, run: number, error })
  yield* runs.source.changes(instance, resume).pipe(
    Stream.runForEach((event) => handOver(runs, key, number, event)),
    Effect.matchCauseEffect({
      onFailure: (cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : end(failureOf(key, cause))),
      onSuccess: () => end(ended(key, "the source ended by itself")),
    }),
  )
})

/** Ends the runs that were noted, children first, and waits until their requests are closed. */
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
  yield* Effect.forEach(noted, (record) => FiberMap.remove(runs.fibers, record.key), {
    concurrency: "unbounded",
    discard: true,
  })
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
    yield* FiberMap.run(runs.fibers, record.key, run(runs, record, record.run))
  }
  return wanted.length
})
