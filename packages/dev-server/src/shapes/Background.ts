/**
 * Work nobody waits for: snapshots being made, files being removed. Exists so that a stopping server can wait for it and no
 * failure of it goes unheard.
 */

/** Work under way. */
export interface Background {
  /** Starts a piece of work. */
  readonly add: (work: () => Promise<void>) => void
  /** Resolves when everything started has ended. */
  readonly settled: () => Promise<void>
}

/** @param onFailure hears of every piece that rejects. */
export const make = (onFailure: (error: unknown) => void): Background => {
  const running = new Set<Promise<void>>()
  return {
    add: (work) => {
      const piece = work()
        .catch(onFailure)
        .finally(() => running.delete(piece))
      running.add(piece)
    },
    settled: async () => {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
