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
import {
  ancestorsFresh,
  grantedAt,
  type InstanceRecord,
  isBelow,
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
  if (state?._tag === "Halted" && state.error.reason._tag === "Forbidden") world.denied.add(record)
  else world.denied.delete(record)
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
  const { held } = record
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

/** Demand began: the instance becomes desired, from what the store holds. */
const enter = (world: World, record: InstanceRecord, now: number): void => {
  stay(world, record)
  const next = initialState(world, record)
  if (record.state?._tag === "Draining") send(world, record, { ...next, _tag: "Desired" }, now)
  else Object.assign(record, { state: next, since: now })
  record.hash = record.instance.hash
  record.desiredSince = now
  world.journal.add(now, record.key, "desired", [...record.demandedBy].join(", ") || "root of the graph")
  if ((world.owned.get(record.node.id) ?? []).length > 0) world.dirtyOwners.add(record.key)
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
    if (record.state !== null && record.state._tag !== "Draining")
      actual.set(key, { hash: record.hash, depth })
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

/** The rows of an instance and of all below it go now, in one collection. */
export const purge = (world: World, record: InstanceRecord, detail: string, now: number): void => {
  world.journal.add(now, record.key, "collected", detail)
  if (record.held !== null || record.tried) world.collects.add(record.key)
  record.held = null
  record.tried = false
  // Its checkpoint went with its rows: reopened, it starts from the beginning.
  if (record.state?._tag === "Halted")
    record.state = { ...record.state, returnTo: { _tag: "Initial", attempt: record.state.attempt } }
  withdrawAll(world, record, noChange())
  for (const key of record.below) {
    const child = world.records.get(key)
    if (child !== undefined && !isDemanded(child)) forget(world, child, "its owner went", now)
  }
  record.below.clear()
}

/** As {@link purge}, and the instance itself is no longer desired. */
export const forget = (world: World, record: InstanceRecord, detail: string, now: number): void => {
  purge(world, record, detail, now)
  record.state = null
  record.revokeAt = null
  record.keepUntil = null
  noteStop(world, record)
  world.attention.delete(record)
  world.denied.delete(record)
  world.records.delete(record.key)
  world.statusDirty = true
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
  const terminal = isTerminal(error, { desiredForMillis: now - grantedAt(world, record), attempt })
  const retryAt = now + backoffMillis(attempt, random, error.retryAfterMillis, world.config)
  world.journal.add(now, record.key, "failed", `${error.reason._tag}: ${error.reason.message}`)
  send(world, record, { _tag: "Failed", error, terminal, retryAt }, now)
  if (terminal && error.reason._tag === "Forbidden" && (error.reason as Forbidden).revoked)
    purge(world, record, "the gateway revoked it", now)
}

/** So many network failures in a row mean that the server cannot be reached. */
export const offlineAfterFailures = 2

/** An owner's rows changed: what was denied anywhere below it may be allowed now (a membership revoked and granted again). */
export const reopenDenied = (world: World, owner: InstanceRecord, now: number): void => {
  for (const record of [...world.denied]) {
    if (!isBelow(world, record, owner)) continue
    record.desiredSince = now
    send(world, record, { _tag: "RetryAsked" }, now)
  }
}

/** Any answer of the server proves that it can be reached: what waits for the network need not wait longer. */
export const noteAnswer = (world: World, now: number): void => {
  const wasOffline = world.networkFailures >= offlineAfterFailures
  world.networkFailures = 0
  if (!wasOffline) return
  world.statusDirty = true
  world.journal.add(now, null, "reachable", "the server answers again")
  for (const record of world.records.values())
    if (record.state?._tag === "Backoff" && record.state.error.reason._tag === "Network")
      send(world, record, { _tag: "RetryAsked" }, now)
}

/** Everything whose time has come, among the records that need attention. Returns whether rows were given up. */
export const expire = (world: World, now: number): boolean => {
  const before = world.records.size
  for (const record of [...world.attention]) {
    const state = record.state
    if (state?._tag === "Backoff" && state.retryAt <= now && ancestorsFresh(world, record))
      send(world, record, { _tag: "RetryDue" }, now)
    if (isDemanded(record)) continue
    if (record.revokeAt !== null && record.revokeAt <= now && ownersComplete(world, record))
      forget(world, record, "its binding is gone", now)
    else if (record.keepUntil !== null && record.keepUntil <= now)
      forget(world, record, "nobody asked for it any more", now)
  }
  return world.records.size < before
}

/** While an owner has never been complete, a missing binding may only be missing yet. A halted one is not waited for: it may stay so. */
export const ownersComplete = (world: World, record: InstanceRecord): boolean => {
  const owner = world.ownership.get(record.node.id)?.owner ?? null
  for (const candidate of world.records.values())
    if (
      candidate.node.id === owner &&
      isDemanded(candidate) &&
      candidate.held?.complete !== true &&
      candidate.state?._tag !== "Halted"
    )
      return false
  return true
}

/** Admits waiting instances: ancestors current, parents and priority first, few first snapshots at once. */
export const admit = (world: World, now: number): void => {
  if (world.pauses.isPaused) return
  let snapshots = 0
  const waiting: Array<InstanceRecord> = []
  for (const record of world.attention) {
    const tag = record.state?._tag
    if (tag !== "Initial" && tag !== "Refetching" && tag !== "Pending") continue
    // What waits for its ancestors takes no place: an ancestor may be waiting for that very place.
    if (!ancestorsFresh(world, record)) continue
    if (tag === "Pending") waiting.push(record)
    else snapshots++
  }
  waiting.sort(
    (a, b) =>
      b.node.priority - a.node.priority ||
      a.depth - b.depth ||
      a.desiredSince - b.desiredSince ||
      (a.key < b.key ? -1 : 1),
  )
  for (const record of waiting) {
    const first = record.state?._tag === "Pending" && record.state.checkpoint === null
    if (first && snapshots >= world.config.maxConcurrentSnapshots) continue
    if (first) snapshots++
    send(world, record, { _tag: "Admitted" }, now)
  }
}

/** When something is due next (epoch milliseconds), or null. */
export const nextDue = (world: World): number | null => {
  let due: number | null = null
  const consider = (at: number | null): void => {
    if (at !== null && (due === null || at < due)) due = at
  }
  for (const record of world.attention) {
    if (record.state?._tag === "Backoff" && ancestorsFresh(world, record)) consider(record.state.retryAt)
    if (!isDemanded(record)) {
      consider(record.revokeAt !== null && ownersComplete(world, record) ? record.revokeAt : null)
      consider(record.keepUntil)
    }
  }
  return due
}

/** Drops settled records from the attention list. */
export const settle = (world: World): void => {
  for (const record of world.attention) {
    const quiet =
      record.arrived === null && !record.wantsStart && record.revokeAt === null && record.keepUntil === null
    const tag = record.state?._tag
    if (
      quiet &&
      (tag === "Live" || tag === "Halted" || tag === "Syncing" || tag === "Paused" || tag === undefined)
    )
      world.attention.delete(record)
  }
}
