/**
 * What keeps one run from asking in a loop when the server answers well but wrongly: polls it does not hold, handles it voids again and
 * again. Counts and decides; the waiting is the run's. Made by `ShapeRun.ts` only.
 */
import { backoffMillis } from "../../protocol/backoff.ts"

/** Refetches a run may need within the window; beyond it the run fails, so that the state machine backs off. */
export const maxRefetches = 3
export const refetchWindowMillis = 60_000

/** A poll answered empty faster than this was not held; after `maxIdlePolls` of them in a row each waits, at most `maxIdlePauseMillis`. */
export const idlePollMillis = 200
export const maxIdlePolls = 5
export const maxIdlePauseMillis = 5_000

const never: ReadonlyArray<number> = []

export class Pacing {
  /** Polls in a row that came back empty at once. */
  #idlePolls = 0
  /** When the refetches of the current window happened, epoch milliseconds. */
  #refetches = never

  /** Milliseconds to wait before the next poll; an empty answer at once is a server or cache that does not hold polls. */
  idlePause(empty: boolean, elapsedMillis: number): number {
    this.#idlePolls = empty && elapsedMillis < idlePollMillis ? this.#idlePolls + 1 : 0
    const excess = this.#idlePolls - maxIdlePolls
    return excess <= 0 ? 0 : Math.min(50 * 2 ** (excess - 1), maxIdlePauseMillis)
  }

  /**
   * Milliseconds to wait before a refetch, or the sentence to fail with. A server that voids each handle it gives is asked again later
   * and later. `fraction` is random in [0, 1).
   */
  refetchPause(
    nowMillis: number,
    fraction: number,
    limits: Parameters<typeof backoffMillis>[3],
  ): number | string {
    const recent = this.#refetches.filter((at) => nowMillis - at < refetchWindowMillis)
    this.#refetches = recent
    if (recent.length >= maxRefetches)
      return `the server voided the handle ${recent.length + 1} times within ${refetchWindowMillis} ms`
    return recent.length === 0 ? 0 : backoffMillis(recent.length, fraction, 0, limits)
  }

  /** A refetch begins. */
  refetched(nowMillis: number): void {
    this.#refetches = [...this.#refetches, nowMillis]
  }
}
