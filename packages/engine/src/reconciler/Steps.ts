/**
 * The synchronous half of the reconciler: takes inputs into the world, moves instances through their state machine, and
 * notes what has to be stopped, started, discarded or collected. No effects: the loop carries the notes out.
 */
import { type ActualEntry, type DesiredEntry, diff } from "../graph/diff.ts"
import { type Pending, pending } from "../machine/InstanceState.ts"
import type { InstanceEvent } from "../machine/InstanceEvent.ts"
import { transition } from "../machine/transition.ts"
import type { Forbidden, ShapeError } from "../protocol/ShapeError.ts"
import { type DemandChange, noChange, withdrawAll } from "./Desired.ts"
import { backoffMillis, isTerminal } from "./retryPolicy.ts"
import { ownersComplete, refresh, takeDue, takeQueued } from "./Agenda.ts"
import { markOwner } from "./Owners.ts"
import {
  ancestorsFresh,
  type InstanceRecord,
  isActual,
  isDemanded,
  isRunning,
  touch,
  type World,
} from "./World.ts"

/** Why demand ended: the binding is gone from the owner's rows, or nobody asks any more. */
export type Cause = "revoked" | "unleased"

/** Applies an event to a record and notes the commands. */
export const send = (world: World, record: InstanceRecord, event: InstanceEvent, now: number): void => {
  const before = record.state
  if (before === null) return
  const { state, commands } = transition(before, event)
  if (state === before && commands.length === 0) return
  if (state?._tag !== before._tag) {
    record.since = now
    world.journal.add(now, record.key, "state", `${before._tag} → ${state?._tag ?? "gone"} on ${event._tag}`)
  }
  record.state = state
  touch(world, record)
  for (const command of commands) {
    if (command === "Start") record.wantsStart = true
    else if (command === "Stop") noteStop(world, record)
    else world.discards.add(record.key)
  }
}

const noteStop = (world: World, record: InstanceRecord): void => {
  record.wantsStart = false
  world.stops.add(record)
}

/** Ends the record's run and begins another from where its state says. */
export const restart = (world: World, record: InstanceRecord): void => {
  world.stops.add(record)
  record.wantsStart = true
  touch(world, record)
}

const initialState = (world: World, record: InstanceRecord): Pending => {
  const held = record.held
  if (held !== null && held.table !== record.instance.table) {
    world.collects.add(record.key)
    record.held = null
    return pending({ checkpoint: null, refetch: false })
  }
  if (held === null) return pending({ checkpoint: null, refetch: false })
  const sameDefinition = held.hash === record.instance.hash
  const checkpoint = sameDefinition ? held.checkpoint : null
  return pending({ checkpoint, refetch: checkpoint === null })
}

/** Demand began: the instance becomes desired, resuming from what the store holds. */
const enter = (world: World, record: InstanceRecord, now: number): void => {
  stay(world, record)
  const next = initialState(world, record)
  if (record.state?._tag === "Draining") send(world, record, { ...next, _tag: "Desired" }, now)
  else {
    record.state = next
    record.since = now
  }
  record.hash = record.instance.hash
  record.desiredSince = now
  const demandedBy = [...record.demandedBy.keys()].join(", ")
  world.journal.add(now, record.key, "desired", demandedBy || "root of the graph")
  markOwner(world, record, "all")
  if (world.pauses.isPaused) send(world, record, { _tag: "Paused" }, now)
}

/** Still, or again, demanded: nothing of it goes. */
const stay = (world: World, record: InstanceRecord): void => {
  record.revokeAt = null
  record.keepUntil = null
  touch(world, record)
}

/** The definition under this key changed: never resume the old log, replace the rows beside. */
const respecify = (world: World, record: InstanceRecord, now: number): void => {
  stay(world, record)
  record.hash = record.instance.hash
  world.journal.add(now, record.key, "definition", "changed")
  send(world, record, { _tag: "SpecChanged", held: record.held !== null }, now)
}

/** Demand ended. Revoked rows go after the grace, unleased ones after `keepFor`; see design §4. */
const leave = (world: World, record: InstanceRecord, cause: Cause, now: number): void => {
  if (record.revokeAt !== null || record.keepUntil !== null) return
  touch(world, record)
  if (cause === "revoked") {
    record.revokeAt = now + world.config.revokeGraceMillis
    world.journal.add(now, record.key, "binding-gone", `revoked in ${world.config.revokeGraceMillis} ms`)
    return
  }
  record.keepUntil = now + record.node.keepForMillis
  world.journal.add(now, record.key, "unleased", `kept for ${record.node.keepForMillis} ms`)
  send(world, record, { _tag: "Undesired" }, now)
  const change = noChange()
  withdrawAll(world, record, change)
  takeIn(world, change, cause, now)
}

/** Carries out the plan for records whose demand may have changed: desired against actual, over just these. */
export const takeIn = (world: World, change: DemandChange, cause: Cause, now: number): void => {
  const desired = new Map<string, DesiredEntry>()
  const actual = new Map<string, ActualEntry>()
  for (const record of change) {
    const { depth, key, node } = record
    if (isDemanded(record)) desired.set(key, { hash: record.instance.hash, priority: node.priority, depth })
    if (isActual(record)) actual.set(key, { hash: record.hash, depth })
  }
  const plan = diff(desired, actual)
  const each = (keys: ReadonlyArray<string>, act: (record: InstanceRecord) => void): void => {
    for (const key of keys) {
      const record = world.records.get(key)
      if (record !== undefined) act(record)
    }
  }
  each(plan.stop, (record) => leave(world, record, cause, now))
  each(plan.restart, (record) => respecify(world, record, now))
  each(plan.start, (record) => enter(world, record, now))
  each(plan.keep, (record) => stay(world, record))
}

/** The rows of an instance and of everything below it go now; all of them in one collection. */
export const purge = (world: World, record: InstanceRecord, detail: string, now: number): void => {
  world.journal.add(now, record.key, "collected", detail)
  if (record.held !== null) world.collects.add(record.key)
  record.held = null
  touch(world, record)
  const change = noChange()
  withdrawAll(world, record, change)
  for (const child of change) if (!isDemanded(child)) forget(world, child, "its owner went", now)
}

/** As {@link purge}, and the instance itself is no longer desired. */
export const forget = (world: World, record: InstanceRecord, detail: string, now: number): void => {
  purge(world, record, detail, now)
  record.state = null
  record.revokeAt = null
  record.keepUntil = null
  noteStop(world, record)
  if (record.preferred) world.dropped.add(record)
  world.records.delete(record.key)
  touch(world, record)
}

/** A run failed: back off or halt; a revoking denial takes the rows with it. */
export const fail = (
  world: World,
  record: InstanceRecord,
  error: ShapeError,
  random: number,
  now: number,
): void => {
  if (!isRunning(record)) return
  const attempt = (record.state?.attempt ?? 0) + 1
  const terminal = isTerminal(error, { desiredForMillis: now - record.desiredSince, attempt })
  const retryAt =
    now + backoffMillis(Math.max(attempt, record.refetches), random, error.retryAfterMillis, world.config)
  world.journal.add(now, record.key, "failed", `${error.reason._tag}: ${error.reason.message}`)
  const revoked = terminal && error.reason._tag === "Forbidden" && (error.reason as Forbidden).revoked
  send(world, record, { _tag: "Failed", error, terminal, retryAt, revoked }, now)
  if (revoked) purge(world, record, "the gateway revoked it", now)
}

/** A wait is over when its time has come, or when the clock was set back to before it began. */
const isDue = (record: InstanceRecord, retryAt: number, now: number): boolean =>
  retryAt <= now || now < record.since

/** Everything whose time has come. Returns whether rows were given up. */
export const expire = (world: World, now: number): boolean => {
  const before = world.records.size
  for (const record of takeDue(world, now)) {
    if (world.records.get(record.key) !== record) continue
    touch(world, record)
    const state = record.state
    if (state?._tag === "Backoff" && isDue(record, state.retryAt, now) && ancestorsFresh(world, record))
      send(world, record, { _tag: "RetryDue" }, now)
    if (isDemanded(record)) continue
    if (record.revokeAt !== null && record.revokeAt <= now && ownersComplete(world, record))
      forget(world, record, "its binding is gone", now)
    else if (record.keepUntil !== null && record.keepUntil <= now)
      forget(world, record, "nobody asked for it any more", now)
  }
  return world.records.size < before
}

/** Admits waiting instances: ancestors current, leased first, then priority and parents; few first snapshots at once. */
export const admit = (world: World, now: number): void => {
  if (world.pauses.isPaused) return
  refresh(world)
  const { agenda, config } = world
  for (
    let next = takeQueued(world, agenda.resuming);
    next !== null;
    next = takeQueued(world, agenda.resuming)
  )
    send(world, next, { _tag: "Admitted" }, now)
  refresh(world)
  while (agenda.snapshots.size < config.maxConcurrentSnapshots) {
    const next = takeQueued(world, agenda.first)
    if (next === null) return
    send(world, next, { _tag: "Admitted" }, now)
    refresh(world)
  }
}
