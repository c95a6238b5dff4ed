/**
 * Watches the flushes of one database to browser storage: makes a failed one again, and lets a writer wait until what it
 * wrote is stored. Pure of browsers and databases, so that its rules are tested alone; `openDatabase` says why it
 * exists.
 */

export interface FlushOptions {
  /** Attempts after the first. */
  readonly retries: number
  /** Wait before the first retry; doubles with each. */
  readonly delayMillis: number
}

/** A file removed between listing and reading is gone at the second attempt; storage that is full stays full. */
export const defaultFlushOptions: FlushOptions = { retries: 5, delayMillis: 20 }

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Flushes {
  readonly #options: FlushOptions
  #waiting: Array<Waiter> = []

  constructor(options: FlushOptions = defaultFlushOptions) {
    this.#options = options
  }

  /**
   * Runs one flush, with retries. Whoever waited before its last attempt began is told how it ended; a wait that
   * began later is for the next flush, because this one may have missed what was written since.
   */
  async run(flush: () => Promise<void>): Promise<void> {
    const told: Array<Waiter> = []
    for (let retry = 0; ; retry++) {
      told.push(...this.#waiting.splice(0))
      try {
        await flush()
        for (const waiter of told) waiter.resolve()
        return
      } catch (error) {
        if (retry >= this.#options.retries) {
          for (const waiter of told) waiter.reject(error)
          throw error
        }
        await new Promise((resolve) => setTimeout(resolve, this.#options.delayMillis * 2 ** retry))
      }
    }
  }

  /** Settles with the first flush that begins after this call. The caller sees to it that there is one. */
  next(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }
}
