/**
 * Named, counted reasons to hold everything. Exists because a boolean loses track as soon as two causes overlap
 * (offline while hidden). Pure bookkeeping; the reconciler acts on the edges it reports.
 */
import type { PauseReason } from "../protocol/InstanceStatus.ts"

export class PauseLock {
  readonly #counts = new Map<PauseReason, number>()

  /** True when this was the first reason of all. */
  acquire(reason: PauseReason): boolean {
    const first = this.#counts.size === 0
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1)
    return first
  }

  /** True when this was the last reason of all. Releasing a reason that is not held does nothing. */
  release(reason: PauseReason): boolean {
    const count = this.#counts.get(reason)
    if (count === undefined) return false
    if (count > 1) this.#counts.set(reason, count - 1)
    else this.#counts.delete(reason)
    return this.#counts.size === 0
  }

  has(reason: PauseReason): boolean {
    return this.#counts.has(reason)
  }

  get isPaused(): boolean {
    return this.#counts.size > 0
  }

  /** Reasons now held, sorted. */
  get reasons(): ReadonlyArray<PauseReason> {
    return [...this.#counts.keys()].toSorted()
  }
}
