/** Where a transaction's snapshot stands in the write-ahead log. Reads only. */
import type { Sql } from "../db/Database.ts"
import type { Visibility } from "./CommitBuffer.ts"
import { type Lsn, parseLsn } from "./pgoutput.ts"

/** Positions in the log just behind a page's header (24 or 40 bytes): nothing of ours can end between. */
const pageBytes = 8_192
const pageHeaderBytes = 40

/** The end of the record before a position, as the stream counts it. */
export const atRecordEnd = (lsn: Lsn): Lsn =>
  lsn % pageBytes <= pageHeaderBytes ? lsn - (lsn % pageBytes) : lsn

/** What a transaction's snapshot sees, and how far the log had come. */
export interface Moment {
  readonly visibility: Visibility
  /** Every transaction the snapshot shows has its commit before this. */
  readonly lsn: Lsn
  readonly isFlushed: boolean
}

const momentQuery = `
  select pg_snapshot_xmin(s), pg_snapshot_xmax(s), array_to_json(array(select pg_snapshot_xip(s)::text)),
    pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn()
  from pg_current_snapshot() as s`

/** Reads the moment of a transaction whose snapshot is taken now or was taken before. */
export const readMoment = async (sql: Sql): Promise<Moment> => {
  const [row] = await sql.rows(momentQuery)
  const [xmin, xmax, running, inserted, flushed] = (row ?? []).map(String) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const lsn = atRecordEnd(parseLsn(inserted))
  return {
    visibility: {
      xmin: Number(xmin),
      xmax: Number(xmax),
      running: new Set((JSON.parse(running) as ReadonlyArray<string>).map(Number)),
    },
    lsn,
    isFlushed: parseLsn(flushed) >= lsn,
  }
}
