/**
 * What the fault scripts share: an embedded server, the peer over it, and the line they print. Each script runs one case of
 * `@electric-sql/pglite-sync` and exits 0 when the fault shows, 1 when it does not, so that a repaired peer is noticed. Scripts only.
 */
import { PGlite } from "@electric-sql/pglite"
import { electricSync } from "@electric-sql/pglite-sync"
import { DevServer } from "@espalier/dev-server"
import { Effect, Exit, Scope } from "effect"
import { settings } from "../../lib/ours.ts"

/** One case, told. */
export interface Finding {
  readonly expected: unknown
  readonly observed: unknown
  readonly faulty: boolean
}

/** What a case works with. */
export interface Bench {
  /** Runs SQL on the server's database. */
  readonly up: (sql: string) => Promise<void>
  readonly url: string
  readonly shape: (
    table: string,
    where?: string,
  ) => { readonly url: string; readonly params: { readonly table: string; readonly where?: string } }
  /** A local database with the peer in it. */
  readonly local: (ddl: string) => Promise<Awaited<ReturnType<typeof openLocal>>>
  /** Promises that the peer rejected and nobody caught. */
  readonly unhandled: ReadonlyArray<string>
}

const openLocal = (dataDir?: string) =>
  PGlite.create({
    ...settings,
    ...(dataDir === undefined ? {} : { dataDir }),
    extensions: { electric: electricSync() },
  })

export const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** Waits until `test` holds; false when it does not within `millis`. */
export const until = async (test: () => boolean | Promise<boolean>, millis = 15_000): Promise<boolean> => {
  for (const end = performance.now() + millis; performance.now() < end; await sleep(5))
    if (await test()) return true
  return false
}

/** Ids of a local table, sorted. */
export const ids = async (pg: Pick<PGlite, "query">, table: string): Promise<ReadonlyArray<number>> =>
  (await pg.query<{ readonly id: number }>(`select id from ${table} order by id`)).rows.map(({ id }) => id)

/** Runs a case, prints `{case, expected, observed, faulty}`, and ends the process. */
export const run = async (name: string, body: (bench: Bench) => Promise<Finding>): Promise<never> => {
  const unhandled: Array<string> = []
  process.on("unhandledRejection", (reason) =>
    unhandled.push(reason instanceof Error ? reason.message : String(reason)),
  )
  const db = await PGlite.create(settings)
  const scope = Effect.runSync(Scope.make())
  const server = await Effect.runPromise(
    DevServer.make({ db, longPollTimeoutMillis: 2_000 }).pipe(Effect.provideService(Scope.Scope, scope)),
  )
  const url = `${server.url}/v1/shape`
  const found = await body({
    up: (sql) => Effect.runPromise(server.exec(sql)),
    url,
    shape: (table, where) => ({ url, params: where === undefined ? { table } : { table, where } }),
    local: async (ddl) => {
      const pg = await openLocal()
      await pg.exec(ddl)
      return pg
    },
    unhandled,
  })
  console.log(JSON.stringify({ case: name, ...found }))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  process.exit(found.faulty ? 0 : 1)
}
