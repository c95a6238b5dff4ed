/**
 * Notices that the host slept or its clock was set, and runs that say nothing any more. Exists because after a sleep open requests are
 * dead without knowing it. Pure but for the records it fails; the loop reads the clocks.
 */
import { Network, ShapeError } from "../protocol/ShapeError.ts"
import { hurry, refresh } from "./Agenda.ts"
import { fail } from "./Steps.ts"
import { type InstanceRecord, isRunning, type World } from "./World.ts"

/** Both clocks in milliseconds. */
export interface ClockReading {
  readonly wall: number
  readonly monotonic: number
}

/**
 * By how many milliseconds the wall clock is off: against the monotonic clock, or, where that one runs on during sleep, against
 * `wakeAt`, when the loop meant to wake. 0 when within `limit`.
 */
export const clockJump = (
  before: ClockReading,
  now: ClockReading,
  wakeAt: number | null,
  limit: number,
): number => {
  const drift = now.wall - before.wall - (now.monotonic - before.monotonic)
  if (Math.abs(drift) > limit) return Math.round(drift)
  const late = wakeAt === null ? 0 : now.wall - wakeAt
  return late > limit ? late : 0
}

/** When the clocks and the runs are looked at next: while anything runs or waits, at least every `clockJumpMillis`. */
export const watchDue = (world: World, active: boolean, now: number): number | null =>
  active ? Math.min(world.watchedAt, now) + world.config.clockJumpMillis : null

/** Fails runs that hold a slot and have said nothing for `stuckRunMillis`. Looks at all records, but seldom. */
export const expireStuck = (world: World, random: number, now: number): void => {
  if (now - world.watchedAt < world.config.clockJumpMillis && now >= world.watchedAt) return
  world.watchedAt = now
  for (const record of world.records.values()) {
    if (!record.slot || !isRunning(record) || now - record.heardAt <= world.config.stuckRunMillis) continue
    const message = `its run said nothing for ${world.config.stuckRunMillis} ms`
    fail(world, record, new ShapeError({ key: record.key, reason: new Network({ message }) }), random, now)
  }
}

/** After a jump nobody has been silent yet; and what was to happen soon is not put off because the clock was set back. */
export const noteJump = (world: World, jump: number, now: number): void => {
  const back = Math.min(0, jump)
  const shift = (at: number | null): number | null => (at === null ? null : at + back)
  world.watchedAt = now
  world.hiddenSince = shift(world.hiddenSince)
  world.storageSince = shift(world.storageSince)
  const waiting: Array<InstanceRecord> = []
  for (const record of world.records.values()) {
    if (record.slot) record.heardAt = now
    record.revokeAt = shift(record.revokeAt)
    record.keepUntil = shift(record.keepUntil)
    world.agenda.touched.add(record)
    if (back < 0 && record.state?._tag === "Backoff") waiting.push(record)
  }
  // Placed first: a wait that began in what is the future now is over.
  refresh(world)
  for (const record of waiting) hurry(world, record)
  world.journal.add(now, null, "clock-jump", `${jump} ms; open requests are asked again`)
}
