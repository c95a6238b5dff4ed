/**
 * A {@link Database} over a real Postgres: one pool, every transaction on a connection of its own, parameters and values
 * as text. Several transactions may run at once; the engine's own run one by one in its queue. Knows nothing of shapes.
 */
import pg from "pg"
import { type Database, failure, type Sql, SqlFailure, type Text } from "./Database.ts"

/** Thrown by a transaction's body to be run again in a new transaction, because its snapshot came at an unlucky moment. */
export class SnapshotRetry extends Error {
  readonly _tag = "SnapshotRetry"
}

/** Connections kept at most. Shapes are told over one, the others serve definitions and SQL. */
const poolSize = 10

/** How long a connection may take to come about. */
const connectMillis = 10_000

/** Locks of others may hold the engine up no longer than this. */
const lockMillis = 30_000

/** Runs of a body that asks to be run again, and the pause between them. */
const maxRuns = 2_000
const retryMillis = 5

/** Values as Postgres prints them. */
const asText: pg.CustomTypesConfig = { getTypeParser: () => (value: unknown) => value }

/** Commands whose row count says how many rows were written. */
const writing = new Set(["INSERT", "UPDATE", "DELETE", "MERGE", "COPY"])

/** A pool of connections to `url`. Connects when first used; `onFailure` hears of idle connections that break. */
export const makePool = (url: string, name: string, onFailure: (error: unknown) => void): pg.Pool => {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: connectMillis,
    application_name: name,
  })
  // `end` resolves before the last connections are gone, and Postgres may stop in between.
  pool.on("error", (error) => {
    if (!pool.ending) onFailure(new SqlFailure(error.message, "08006", null, null))
  })
  return pool
}

/** How transactions see the data. */
export interface Isolation {
  /** One snapshot for the whole transaction, and a limit to waiting for locks. Otherwise Postgres's defaults hold. */
  readonly isRepeatable: boolean
}

/** A {@link Database} over a pool. It does not close it. */
export const fromPool = (pool: pg.Pool, isolation: Isolation): Database => ({
  transaction: async (body) => {
    for (let run = 1; ; run += 1) {
      try {
        return await transact(pool, isolation, body)
      } catch (error) {
        if (!(error instanceof SnapshotRetry) || run === maxRuns) throw error
        await new Promise((resolve) => setTimeout(resolve, retryMillis))
      }
    }
  },
  exec: async (script) => {
    await orFailure(pool.query(script))
  },
  // The capture of a real Postgres hears of commits from the replication stream.
  listen: () => Promise.reject(new Error("notifications are not used on a real Postgres")),
})

/** Runs one statement by itself and answers its first value. */
export const readValue = async (pool: pg.Pool, text: string): Promise<Text> => {
  const { rows } = await orFailure(pool.query<Array<Text>>({ text, rowMode: "array", types: asText }))
  return rows[0]?.[0] ?? null
}

const beginning = (isolation: Isolation): string =>
  isolation.isRepeatable
    ? `begin isolation level repeatable read; set local lock_timeout = ${lockMillis}`
    : "begin"

const transact = async <A>(
  pool: pg.Pool,
  isolation: Isolation,
  body: (sql: Sql) => Promise<A>,
): Promise<A> => {
  const client = await orFailure(pool.connect())
  const committed: Array<() => void> = []
  let result: A
  try {
    await orFailure(client.query(beginning(isolation)))
    result = await body(runner(client, committed))
    await orFailure(client.query("commit"))
  } catch (error) {
    await rollback(client)
    throw error
  }
  client.release()
  for (const then of committed) then()
  return result
}

/** A connection that cannot even roll back is thrown away. */
const rollback = async (client: pg.PoolClient): Promise<void> => {
  try {
    await client.query("rollback")
    client.release()
  } catch (error) {
    client.release(error instanceof Error ? error : true)
  }
}

const runner = (client: pg.PoolClient, committed: Array<() => void>): Sql => {
  const run: Sql["run"] = async (text, params = []) => {
    const query = { text, values: [...params], rowMode: "array", types: asText } as const
    const result = await orFailure(client.query<Array<Text>>(query))
    return {
      columns: result.fields.map((field) => field.name),
      rows: result.rows,
      affected: writing.has(result.command) ? (result.rowCount ?? 0) : 0,
    }
  }
  return {
    run,
    rows: async (text, params) => (await run(text, params)).rows,
    exec: async (script) => {
      await orFailure(client.query(script))
    },
    afterCommit: (then) => void committed.push(then),
  }
}

/** States in which Postgres itself ends or refuses connections. */
const shuttingDown = new Set(["57P01", "57P02", "57P03"])

/** Rejections as {@link SqlFailure}: a refused statement with its state, anything about the connection with 08006. */
const orFailure = async <A>(answer: Promise<A>): Promise<A> => {
  try {
    return await answer
  } catch (cause) {
    if (cause instanceof pg.DatabaseError && !shuttingDown.has(cause.code ?? "")) throw failure(cause)
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new SqlFailure(message === "" ? "no connection" : message, "08006", null, cause)
  }
}
