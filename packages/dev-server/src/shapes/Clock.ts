/**
 * Numbers that never come twice: LSNs and the time half of handles. Both are microseconds of the wall clock, pushed forward
 * where the clock is slow or was set back, and continued from what a data directory remembers; so they rise across
 * restarts, in memory too. The only reader of the wall clock in the engine.
 */

/** A rising source of numbers. */
export interface Clock {
  /** A number above all earlier ones. */
  readonly next: () => number
  /** The last number given out. */
  readonly last: () => number
  /** Never gives out `value` or less from here on. */
  readonly advanceTo: (value: number) => void
}

/** @param now milliseconds since 1970, as `Date.now` gives them. */
export const make = (now: () => number): Clock => {
  let last = Math.floor(now() * 1000)
  return {
    next: () => {
      last = Math.max(last + 1, Math.floor(now() * 1000))
      return last
    },
    last: () => last,
    advanceTo: (value) => {
      last = Math.max(last, value)
    },
  }
}
