/**
 * Runs a read through PGliteWorker so that it always ends. PGliteWorker rejects calls in flight when the
 * leader changes, and sometimes never settles them (its clean-up calls go to a leader that is not listening
 * yet), so an attempt is given up as soon as the leader changes and made again with the next. Only for reads:
 * an attempt that was given up may still run.
 */
import { LeaderChangedError, type PGliteWorker } from "@electric-sql/pglite/worker"
import { HostUnavailable } from "./errors.ts"

/** Changes of leader one read survives. Each tab can lead once, so more means that tabs die in a row. */
const maxLeaderChanges = 16

export interface BoundedQueryOptions {
  /** Resolves when a leader serves the database; rejects with a named error when none ever will. */
  readonly ready: () => Promise<PGliteWorker>
  readonly timeoutMillis: number
  /** Aborts when the client is closed; its reason is what the read rejects with. */
  readonly signal: AbortSignal
}

const raceAbort = <Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener("abort", onAbort, { once: true })
    // The loser of the race may settle later or never; its outcome has no reader any more.
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort))
  })

type Read<Result> = (pg: PGliteWorker) => Promise<Result>

const attempt = async <Result>(
  pg: PGliteWorker,
  read: Read<Result>,
  signal: AbortSignal,
): Promise<Result> => {
  const leaderChanged = new AbortController()
  const stopListening = pg.onLeaderChange(() => leaderChanged.abort(new LeaderChangedError()))
  try {
    return await raceAbort(read(pg), AbortSignal.any([signal, leaderChanged.signal]))
  } finally {
    stopListening()
  }
}

/**
 * Resolves with the rows, or rejects with Postgres' error, the client's named error, or `HostUnavailable`.
 */
export const boundedQuery = <Row>(
  sql: string,
  params: ReadonlyArray<unknown>,
  options: BoundedQueryOptions,
): Promise<ReadonlyArray<Row>> =>
  boundedRead(sql, async (pg) => (await pg.query<Row>(sql, [...params])).rows, options)

/** The same for any read; `sql` names it in errors. */
export const boundedRead = async <Result>(
  sql: string,
  read: Read<Result>,
  options: BoundedQueryOptions,
): Promise<Result> => {
  const pg = await raceAbort(options.ready(), options.signal)
  const timeout = new AbortController()
  const timer = setTimeout(
    () =>
      timeout.abort(
        new HostUnavailable(
          `The local database did not answer within ${options.timeoutMillis} ms: ${sql.slice(0, 200)}`,
        ),
      ),
    options.timeoutMillis,
  )
  const signal = AbortSignal.any([options.signal, timeout.signal])
  try {
    for (let changes = 0; changes < maxLeaderChanges; changes++) {
      try {
        return await attempt(pg, read, signal)
      } catch (error) {
        if (!(error instanceof LeaderChangedError)) throw error
        await raceAbort(options.ready(), signal)
      }
    }
  } finally {
    clearTimeout(timer)
  }
  throw new HostUnavailable(
    `The leader changed ${maxLeaderChanges} times during one read: ${sql.slice(0, 200)}`,
  )
}
