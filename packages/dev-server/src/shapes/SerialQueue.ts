/**
 * Runs jobs one after the other. The engine changes its memory only inside a job, after the job's transaction has
 * committed, so no job ever sees memory ahead of or behind the database.
 */

/** A queue of jobs. */
export interface SerialQueue {
  readonly run: <A>(job: () => Promise<A>) => Promise<A>
}

export const make = (): SerialQueue => {
  let tail: Promise<unknown> = Promise.resolve()
  return {
    run: (job) => {
      const result = tail.then(job)
      // The queue goes on after a failed job; the failure itself belongs to whoever asked for it.
      tail = result.then(
        () => undefined,
        () => undefined,
      )
      return result
    },
  }
}
