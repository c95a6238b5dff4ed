/**
 * Everything that holds all instances at once: pauses by people and by the host, and the full disk. Synchronous; the reasons are
 * counted by the pause lock, each holder here takes its own reason once.
 */
import type { HostSignal } from "../ports/HostSignals.ts"
import type { PauseReason } from "../protocol/InstanceStatus.ts"
import { send } from "./Steps.ts"
import { touch, type World } from "./World.ts"

export const pause = (world: World, reason: PauseReason, now: number): void => {
  const first = world.pauses.acquire(reason)
  world.journal.add(now, null, "paused", reason)
  for (const record of world.records.values()) {
    if (first) send(world, record, { _tag: "Paused" }, now)
    touch(world, record)
  }
}

export const resume = (world: World, reason: PauseReason, now: number): void => {
  const held = world.pauses.has(reason)
  const last = world.pauses.release(reason)
  if (held) world.journal.add(now, null, "resumed", reason)
  for (const record of world.records.values()) {
    if (last) {
      record.fresh = false
      send(world, record, { _tag: "Resumed" }, now)
    }
    touch(world, record)
  }
}

/** Offline pauses at once; hidden only after `hiddenPauseMillis`, because people change tabs all the time. */
export const takeHost = (world: World, { online, visible }: HostSignal, now: number): void => {
  if (world.hostOnline !== online) {
    world.hostOnline = online
    world.statusDirty = true
    if (online) resume(world, "offline", now)
    else pause(world, "offline", now)
  }
  if (world.hostVisible === visible) return
  world.hostVisible = visible
  const paused = visible && world.hiddenSince === null
  world.hiddenSince = visible ? null : now
  if (paused) resume(world, "hidden", now)
  // Nobody looks: leases give no precedence.
  for (const record of world.records.values()) touch(world, record)
}

/** The disk is full: everything waits, and is tried again by itself or when somebody asks. */
export const holdForStorage = (world: World, now: number): void => {
  if (world.storageSince !== null) return
  world.storageSince = now
  pause(world, "storage", now)
}

/** Tries the disk again. */
export const releaseStorage = (world: World, now: number): void => {
  if (world.storageSince === null) return
  world.storageSince = null
  resume(world, "storage", now)
}

/** When a pause begins or ends by itself next; null when none does. */
export const pauseDue = (world: World): number | null => {
  const hidden = world.hiddenSince === null ? null : world.hiddenSince + world.config.hiddenPauseMillis
  const storage = world.storageSince === null ? null : world.storageSince + world.config.storageRetryMillis
  return hidden === null || storage === null ? (hidden ?? storage) : Math.min(hidden, storage)
}

/** Begins and ends the pauses whose time has come. */
export const expirePauses = (world: World, now: number): void => {
  if (world.hiddenSince !== null && now - world.hiddenSince >= world.config.hiddenPauseMillis) {
    world.hiddenSince = null
    pause(world, "hidden", now)
  }
  if (world.storageSince !== null && now - world.storageSince >= world.config.storageRetryMillis)
    releaseStorage(world, now)
}
