/** Takes one input into the world. Synchronous; random numbers arrive as an argument. */
import { Control } from "../protocol/constants.ts"
import { noChange } from "./Desired.ts"
import type { Input } from "./Input.ts"
import { demandLeased, touchLeased } from "./Leased.ts"
import { pause, releaseStorage, resume, takeHost } from "./Pauses.ts"
import { deniedReasons, haltedFor, noteAnswer, noteFailure, reopen } from "./Recovery.ts"
import { fail, forget, restart, send, takeIn } from "./Steps.ts"
import { type InstanceRecord, isDemanded, isRunning, touch, type World } from "./World.ts"

/** The record of a run, or null when that run is over. */
const ofRun = (
  world: World,
  input: { readonly key: string; readonly run: number },
  now: number,
): InstanceRecord | null => {
  const record = world.records.get(input.key)
  if (record === undefined || record.run !== input.run) return null
  record.heardAt = now
  return record
}

const retry = (world: World, key: string, now: number): boolean => {
  const record = world.records.get(key)
  if (record === undefined) return false
  world.journal.add(now, key, "asked", "retry")
  releaseStorage(world, now)
  if (haltedFor(record) === "Unauthorised") world.reopenCredentials = true
  send(world, record, { _tag: "RetryAsked" }, now)
  return true
}

const refetch = (world: World, key: string, now: number): boolean => {
  const record = world.records.get(key)
  if (record === undefined) return false
  world.journal.add(now, key, "asked", "refetch")
  send(world, record, { _tag: "MustRefetch" }, now)
  if (isRunning(record)) restart(world, record)
  return true
}

/** Rows that nobody asks for go for the sake of space. What is desired stays: somebody looks at it. */
const evict = (world: World, key: string, now: number): boolean => {
  const record = world.records.get(key)
  if (record === undefined || record.held === null || isDemanded(record)) return false
  forget(world, record, "evicted to free space", now)
  return true
}

/** What a `Retry`, `Refetch` or `Evict` answers: whether such an instance exists. */
export type Answer = { readonly input: Extract<Input, { readonly known: unknown }>; readonly known: boolean }

export const takeInput = (world: World, input: Input, random: number, now: number): Answer | null => {
  switch (input._tag) {
    case "Arrived": {
      const record = ofRun(world, input, now)
      if (record === null) return null
      record.arrived = input.arrived
      record.bytes += input.arrived.batch.bytes
      world.bytes += input.arrived.batch.bytes
      noteAnswer(world, now)
      touch(world, record)
      return null
    }
    case "MustRefetch": {
      const record = ofRun(world, input, now)
      if (record === null) return null
      record.buffer = []
      record.fresh = false
      touch(world, record)
      noteAnswer(world, now)
      world.journal.add(now, record.key, Control.mustRefetch, "the server voided the handle")
      send(world, record, { _tag: "MustRefetch" }, now)
      return null
    }
    case "Signal": {
      const record = ofRun(world, input, now)
      if (record === null) return null
      if (input.signal === "request") {
        record.requests++
        world.requests++
      } else record.slot = input.signal === "slot-gained"
      touch(world, record)
      return null
    }
    case "Ended": {
      const record = ofRun(world, input, now)
      if (record === null) return null
      noteFailure(world, input.error, now)
      fail(world, record, input.error, random, now)
      return null
    }
    case "Host":
      takeHost(world, input.signal, now)
      return null
    case "Credentials":
      for (const record of world.records.values())
        if (deniedReasons.has(haltedFor(record) ?? "")) reopen(world, record, now)
      return null
    case "Acquire":
    case "Release": {
      const change = noChange()
      const { lease } = input
      demandLeased(
        world,
        input._tag === "Acquire" ? world.leases.add(lease) : world.leases.delete(lease),
        now,
        change,
      )
      takeIn(world, change, "unleased", now)
      touchLeased(world, lease, now)
      return null
    }
    case "Pause":
      pause(world, input.reason, now)
      return null
    case "Resume":
      resume(world, input.reason, now)
      return null
    case "Retry":
      return { input, known: retry(world, input.key, now) }
    case "Refetch":
      return { input, known: refetch(world, input.key, now) }
    case "Evict":
      return { input, known: evict(world, input.key, now) }
    case "SetParams":
    case "Wipe":
    case "Wake":
      return null
  }
}
