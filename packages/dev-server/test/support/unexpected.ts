/** What tests hand over where nothing is supposed to fail: a failure then ends the run instead of passing unseen. */
export const unexpected = (error: unknown): void => {
  queueMicrotask(() => {
    throw error
  })
}
