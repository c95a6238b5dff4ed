/**
 * What a simulated world needs of time: `VirtualTime` has it, and so has Effect's `TestClock`, so that the same world runs in the
 * simulator and inside an `it.effect`. Interface and adapter only.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"

export interface SimTime {
  /** Epoch milliseconds. */
  readonly now: number
  /** When the world began, epoch milliseconds. */
  readonly startMillis: number
  /** Lets time pass, with everything that falls into it. */
  readonly adjust: (millis: number) => Effect.Effect<void>
  /** Time is later at once. */
  readonly jump: (millis: number) => Effect.Effect<void>
  /** Holds time still while a real operation runs. */
  readonly outside: <A, E, R>(operation: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** The `TestClock` of the surrounding test. Only the memory store runs on it: it does not wait for a real database. */
export const testClockTime: Effect.Effect<SimTime> = Effect.map(Clock.Clock, (clock) => {
  const startMillis = clock.currentTimeMillisUnsafe()
  return {
    get now() {
      return clock.currentTimeMillisUnsafe()
    },
    startMillis,
    adjust: (millis: number) => TestClock.adjust(millis),
    jump: (millis: number) => TestClock.adjust(millis),
    outside: (operation) => operation,
  }
})
