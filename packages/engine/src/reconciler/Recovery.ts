/**
 * What lifts a halt or shortens a wait: a server that answers again, new credentials, a changed owner row. Synchronous; each names its
 * evidence, and none repeats a request at once (I5).
 */
import type { ShapeError } from "../protocol/ShapeError.ts"
import { minBackoffMillis } from "../protocol/backoff.ts"
import { inner, refresh } from "./Agenda.ts"
import { send } from "./Steps.ts"
import { isBelow } from "./ancestry.ts"
import type { InstanceRecord, World } from "./World.ts"

/** This many network failures in a row, with no answer between, mean that the server cannot be reached. */
export const offlineAfterFailures = 2

/** Halts that new credentials may lift. */
export const deniedReasons: ReadonlySet<string> = new Set(["Unauthorised", "Forbidden"])

/** Why an instance is halted, also inside a pause; null when it is not. */
export const haltedFor = (record: InstanceRecord): string | null => {
  const state = inner(record.state)
  return state?._tag === "Halted" ? state.error.reason._tag : null
}

/** Lifts a halt; the grace of a young instance begins anew. */
export const reopen = (world: World, record: InstanceRecord, now: number): void => {
  record.desiredSince = now
  send(world, record, { _tag: "RetryAsked" }, now)
}

/** An owner's rows changed: what was denied anywhere below it may be allowed now (a membership revoked and granted again). */
export const reopenDenied = (world: World, owner: InstanceRecord, now: number): void => {
  refresh(world)
  for (const record of [...world.agenda.denied]) if (isBelow(world, record, owner)) reopen(world, record, now)
}

/** What a failed run says about the server behind it. */
export const noteFailure = (world: World, error: ShapeError, now: number): void => {
  const { _tag } = error.reason
  if (_tag === "Network") world.networkFailures++
  if (_tag === "Network" || _tag === "Overloaded") world.originFailures++
  if (_tag !== "Network") noteReached(world, now)
}

const noteReached = (world: World, now: number): void => {
  if (world.networkFailures >= offlineAfterFailures) {
    world.statusDirty = true
    world.journal.add(now, null, "reachable", "the server answers again")
  }
  world.networkFailures = 0
}

/**
 * A good answer after several failures: the server is back, so what waits for it need not wait longer than its floor. Never at once
 * after a failure, and never before the server's own floor (I5).
 */
export const noteAnswer = (world: World, now: number): void => {
  noteReached(world, now)
  const wasDown = world.originFailures >= offlineAfterFailures
  world.originFailures = 0
  if (!wasDown) return
  for (const record of world.records.values()) {
    const { since, state } = record
    if (state?._tag !== "Backoff" || !originReasons.has(state.error.reason._tag)) continue
    const floor = since + Math.max(minBackoffMillis, state.error.retryAfterMillis)
    send(world, record, now >= floor ? { _tag: "RetryAsked" } : { _tag: "RetrySooner", at: floor }, now)
  }
}

const originReasons: ReadonlySet<string> = new Set(["Network", "Overloaded"])
