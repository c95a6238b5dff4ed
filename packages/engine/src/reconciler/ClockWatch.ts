/**
 * Notices that the host slept or its clock was set, and runs that say nothing any more. Exists because after a sleep open requests are
 * dead without knowing it. Pure but for the records it fails; the loop reads the clocks.
 */
import { Network, ShapeError } from "../protocol/ShapeError.ts"
import { fail } from "./Steps.ts"
import { isRunning, type World } from "./World.ts"

/** Both clocks in milliseconds, and when the loop meant to look at them next. */
export interface ClockReading {
  readonly wall: number
  readonly monotonic: number
  readonly at: number | null
}

/**
 * By how many milliseconds the wall clock is off: against the monotonic clock, or, where that one runs on during sleep, against when
 * the loop meant to wake. 0 when within `limit`.
 */
export const clockJump = (before: ClockReading, now: Omit<ClockReading, "at">, limit: number): number => {
  const drift = now.wall - before.wall - (now.monotonic - before.monotonic)
  if (Math.abs(drift) > limit) return Math.round(drift)
  const late = before.at === null ? 0 : now.wall - before.at
  return late > limit ? late : 0
}

/** When the clocks and the runs are looked at next; null when nothing runs. */
export const watchDue = (world: World, runs: number): number | null =>
  runs === 0 ? null : world.watchedAt + world.config.clockJumpMillis

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

/** After a jump nobody has been silent yet. */
export const noteJump = (world: World, jump: number, now: number): void => {
  world.watchedAt = now
  for (const record of world.records.values()) if (record.slot) record.heardAt = now
  world.journal.add(now, null, "clock-jump", `${jump} ms; open requests are asked again`)
}
