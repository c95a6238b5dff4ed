/** The servers a conformance run has when it is given none: dev-servers over one PGlite in memory, written to by `POST /sql`. */
import { randomUUID } from "node:crypto"
import { PGlite } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { DevServer } from "../src/DevServer.ts"
import { defaultFolder, pgliteVersion, prepare } from "../src/db/preparedDirectory.ts"
import type { RunSql, Servers } from "./Context.ts"

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

export const startEmbedded = async (): Promise<Embedded> => {
  const options = { folder: defaultFolder(), version: pgliteVersion(), create: () => PGlite.create() }
  const { data } = await prepare(options)
  const db = await PGlite.create(data === null ? {} : { loadDataDir: data })
  const scope = Scope.makeUnsafe()
  const sqlToken = randomUUID()
  const start = (more: Partial<Parameters<typeof DevServer.make>[0]>) =>
    Effect.runPromise(DevServer.make({ db, longPollTimeoutMillis, ...more }).pipe(Scope.provide(scope)))
  const main = await start({ sqlToken, allowDelete: true })
  const secret = await start({ secret: secretValue })
  const chunk = await start({ chunkBytes: 1_000 })
  return {
    servers: { main: main.url, secret: secret.url, secretValue, chunk: chunk.url, allowsDelete: true },
    sql: sqlOver(main.url, sqlToken),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await db.close()
    },
  }
}
