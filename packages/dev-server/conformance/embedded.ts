/**
 * The servers a conformance run has when it is given none: dev-servers over one PGlite in memory, written to by `POST /sql`,
 * or over a real Postgres.
 */
import { randomUUID } from "node:crypto"
import { PGlite } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type pg from "pg"
import {
  DevServer,
  type DevServerOptions,
  type PostgresServerOptions,
  type ServerOptions,
} from "../src/DevServer.ts"
import { makePool } from "../src/db/Postgres.ts"
import { defaultFolder, pgliteVersion, prepare } from "../src/db/preparedDirectory.ts"
import { make as makeQueue } from "../src/shapes/SerialQueue.ts"
import type { Restartable, RunSql, Servers } from "./Context.ts"

/** How long the embedded servers hold a request: cases that time out must not take long. */
const longPollTimeoutMillis = 700

/** Running servers; `close` stops them and the database. */
export interface Embedded {
  readonly servers: Servers
  readonly sql: RunSql
  readonly close: () => Promise<void>
}

const secretValue = "conformance-secret"

/** Runs statements through a server's SQL endpoint, in one transaction. Rejects with Postgres's message. */
export const sqlOver =
  (url: string, token: string): RunSql =>
  async (...statements) => {
    const response = await fetch(`${url}/sql`, {
      method: "POST",
      headers: { "x-espalier-dev": token },
      body: JSON.stringify({ statements: statements.map((sql) => ({ sql })) }),
    })
    if (!response.ok) throw new Error(await response.text())
    await response.arrayBuffer()
  }

/** Runs statements on a pool's connections, in one transaction. */
export const sqlOverPool =
  (pool: pg.Pool): RunSql =>
  async (...statements) => {
    const client = await pool.connect()
    try {
      await client.query("begin")
      for (const statement of statements) await client.query(statement)
      await client.query("commit")
    } catch (error) {
      await client.query("rollback")
      throw error
    } finally {
      client.release()
    }
  }

/** Dev-servers over one PGlite in memory. */
export const startEmbedded = async (): Promise<Embedded> => {
  const options = { folder: defaultFolder(), version: pgliteVersion(), create: () => PGlite.create() }
  const { data } = await prepare(options)
  const db = await PGlite.create(data === null ? {} : { loadDataDir: data })
  const scope = Scope.makeUnsafe()
  const sqlToken = randomUUID()
  const servers = await startAll(scope, { db }, sqlToken)
  return {
    servers,
    sql: sqlOver(servers.main, sqlToken),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await db.close()
    },
  }
}

/** Dev-servers over a real Postgres, which is written to by connections of its own. Does not stop the Postgres. */
export const startOnPostgres = async (databaseUrl: string): Promise<Embedded> => {
  const scope = Scope.makeUnsafe()
  const servers = await startAll(scope, { databaseUrl }, null)
  const pool = makePool(databaseUrl, "espalier_conformance", () => undefined)
  return {
    servers,
    sql: sqlOverPool(pool),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await pool.end()
    },
  }
}

type Database = Pick<DevServerOptions, "db"> | Pick<PostgresServerOptions, "databaseUrl">

const serve = async (scope: Scope.Scope, database: Database, more: ServerOptions) =>
  await Effect.runPromise(
    DevServer.make({ ...database, longPollTimeoutMillis, ...more }).pipe(Scope.provide(scope)),
  )

const startAll = async (
  scope: Scope.Scope,
  database: Database,
  sqlToken: string | null,
): Promise<Servers> => {
  const main = await serve(scope, database, { sqlToken, allowDelete: true })
  const secret = await serve(scope, database, { secret: secretValue })
  const chunk = await serve(scope, database, { chunkBytes: 1_000 })
  return {
    main: main.url,
    secret: secret.url,
    secretValue,
    chunk: chunk.url,
    allowsDelete: true,
    restartable: makeRestartable(database),
  }
}

/** Starts a server that keeps its shapes for each case, one after the other: they share its name in the database. */
const makeRestartable = (database: Database): Restartable => {
  const queue = makeQueue()
  const start = async () => {
    const scope = Scope.makeUnsafe()
    const { url } = await serve(scope, database, { captureSchema: "conformance_kept" })
    return { url, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
  }
  return {
    use: (body) =>
      queue.run(async () => {
        let server = await start()
        try {
          await body({
            url: () => server.url,
            restart: async (whileDown) => {
              await server.stop()
              await whileDown()
              server = await start()
            },
          })
        } finally {
          await server.stop()
        }
      }),
  }
}
