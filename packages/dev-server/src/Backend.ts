/**
 * What a server stands on: a database for the engine, one for statements of users, and a capture that fits them. Chooses the
 * adapters by what it is given. Used by DevServer only.
 */
import type { PGlite } from "@electric-sql/pglite"
import type { Capture } from "./capture/Capture.ts"
import * as LogicalCapture from "./capture/LogicalCapture.ts"
import { passingNameOf, unpublish } from "./capture/publication.ts"
import * as TriggerCapture from "./capture/TriggerCapture.ts"
import { type Database, fromPGlite } from "./db/Database.ts"
import { quoteIdent } from "./db/identifier.ts"
import { fromPool, makePool } from "./db/Postgres.ts"
import type { Clock } from "./shapes/Clock.ts"

/** Adapters that belong together. */
export interface Backend {
  /** For statements of users, under Postgres's default isolation. */
  readonly db: Database
  /** For the engine: every transaction sees one moment. */
  readonly engineDb: Database
  readonly capture: Capture
  /** Schema of our tables; on a real Postgres also publication and slot. */
  readonly name: string
  /** Whether it outlives the server. */
  readonly isLasting: boolean
  /** Lets connections of our own go. A database that was handed in stays open. */
  readonly close: () => Promise<void>
}

/** What {@link connect} needs to know. */
export interface BackendOptions {
  readonly db?: PGlite | undefined
  readonly databaseUrl?: string | undefined
  readonly captureSchema?: string | undefined
}

/** What a backend takes from outside. */
export interface BackendTools {
  readonly clock: Clock
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

/** Connects. Rejects when the database cannot be reached or lacks something. */
export const connect = async (
  options: BackendOptions,
  { clock, now, onFailure }: BackendTools,
): Promise<Backend> => {
  const isLasting = options.captureSchema !== undefined
  const name = options.captureSchema ?? passingNameOf(clock.next())
  if (options.databaseUrl !== undefined)
    return overPostgres(options.databaseUrl, name, isLasting, now, onFailure)
  if (options.db === undefined) throw new Error("a server needs a PGlite or the URL of a Postgres")
  const db = fromPGlite(options.db)
  const capture = TriggerCapture.make(db, name)
  return { db, engineDb: db, capture, name, isLasting, close: () => Promise.resolve() }
}

const overPostgres = async (
  url: string,
  name: string,
  isLasting: boolean,
  now: () => number,
  onFailure: (error: unknown) => void,
): Promise<Backend> => {
  const pool = makePool(url, name, onFailure)
  const engineDb = fromPool(pool, { isRepeatable: true })
  try {
    const capture = await LogicalCapture.open({ url, db: engineDb, pool, name, isLasting, now, onFailure })
    const close = async (): Promise<void> => {
      await capture.close()
      await pool.end()
    }
    return { db: fromPool(pool, { isRepeatable: false }), engineDb, capture, name, isLasting, close }
  } catch (error) {
    await pool.end()
    throw error
  }
}

/** Takes out of a Postgres what servers under `name` keep there: slot, publication, shapes. */
export const forget = async (url: string, name: string): Promise<void> => {
  const pool = makePool(url, name, () => undefined)
  try {
    await fromPool(pool, { isRepeatable: false }).transaction(async (sql) => {
      await unpublish(sql, name)
      await sql.exec(`drop schema if exists ${quoteIdent(name)} cascade`)
    })
  } finally {
    await pool.end()
  }
}
