/**
 * Makes a failed flush again. Pure of browsers and databases, so that its rule is tested alone;
 * `openDatabase` says why it exists.
 */

export interface RetryFlushOptions {
  /** Attempts after the first. */
  readonly retries: number
  /** Wait before the first retry; doubles with each. */
  readonly delayMillis: number
}

/**
 * A file removed between listing and reading is gone at the second attempt; storage that is full stays full.
 */
export const defaultRetryFlush: RetryFlushOptions = { retries: 5, delayMillis: 20 }

/** Resolves with the first success; rejects with the last failure. */
export const retryFlush = async (flush: () => Promise<void>, options: RetryFlushOptions): Promise<void> => {
  for (let retry = 0; ; retry++) {
    try {
      return await flush()
    } catch (error) {
      if (retry >= options.retries) throw error
      await new Promise((resolve) => setTimeout(resolve, options.delayMillis * 2 ** retry))
    }
  }
}
