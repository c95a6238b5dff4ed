/**
 * What `docker-compose.prod.yml` starts as containers, here as processes' worth of code on real parts: a real Postgres with logical replication, a shape
 * server with a secret before it, the app's own gateway with its sessions and rules, and an engine behind that. And the set-up that the
 * service `migrate` runs, on the Postgres that the file names.
 */
import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { once } from "node:events"
import { PGlite } from "@electric-sql/pglite"
import { DevServer, type DevServerHandle } from "@espalier/dev-server"
import { Engine } from "@espalier/engine"
import { ElectricShapeSource } from "@espalier/engine/electric"
import { databaseSettings } from "@espalier/engine/pglite"
import type { Gateway } from "@espalier/gateway"
import { nodeHandler } from "@espalier/gateway/node"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, assert, beforeAll, describe, expect, it } from "vitest"
import { splitStatements } from "../apps/demo/server/lib/database/prepare.ts"
import { postgresDatabase } from "../apps/demo/server/lib/database/postgres.ts"
import type { Database } from "../apps/demo/server/lib/database/Database.ts"
import { cookieName, signSession } from "../apps/demo/server/lib/session/cookie.ts"
import { readSettings } from "../apps/demo/server/lib/settings.ts"
import { shapeRoute } from "../apps/demo/server/lib/shapeRoute.ts"
import { graph } from "../apps/demo/shared/graph.ts"
import { startPostgres } from "../packages/dev-server/conformance/postgres.ts"
import { eventually, localEngine, NotYet } from "./support/localEngine.ts"
import { amara, company, local, mei, tables, truthOf } from "./support/world.ts"

const file = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")
const electricSecret = "the-secret-between-app-and-electric"
const sessionSecret = "a session secret of sixteen and more"

const started = await startPostgres()
let scope: Scope.Closeable
let electric: DevServerHandle
let database: Database
let gateway: Gateway.Gateway
let server: Server
let url = ""

const query = async (sql: string, ...params: ReadonlyArray<string>) =>
  (await database.transaction([{ sql, params }]))[0]?.rows ?? []

const cookieOf = (userId: string, secret = sessionSecret): string =>
  `${cookieName}=${signSession({ userId, expiresAt: Date.now() + 60_000 }, secret)}`

const ask = (search: string, cookie?: string, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/v1/shape?${search}`, {
    ...(cookie === undefined ? {} : { headers: { cookie } }),
    ...(signal === undefined ? {} : { signal }),
  })

// Skipped where no Postgres can be started; the reason is in the name.
describe.skipIf(started.reason !== undefined)(
  `The production set as processes${started.reason === undefined ? "" : ` (${started.reason})`}`,
  () => {
    beforeAll(async () => {
      const databaseUrl = (await started.postgres?.createDatabase("production")) ?? ""
      database = postgresDatabase(databaseUrl)
      await query(`do $do$ begin ${file("apps/demo/db/schema.sql")} end $do$`)
      await query(`do $do$ begin ${file("apps/demo/db/seed.sql")} end $do$`)
      scope = Scope.makeUnsafe()
      electric = await Effect.runPromise(
        DevServer.make({ databaseUrl, secret: electricSecret }).pipe(Scope.provide(scope)),
      )
      const env = {
        ELECTRIC_URL: electric.url,
        // The plan's name for the same variable.
        ELECTRIC_API_KEY: electricSecret,
        DATABASE_URL: databaseUrl,
        SESSION_SECRET: sessionSecret,
        DEMO: "false",
      }
      gateway = shapeRoute({
        settings: readSettings(env, undefined, "."),
        database,
        secret: sessionSecret,
      })
      const handler = nodeHandler(gateway)
      server = createServer((request, response) => void handler(request, response))
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      const address = server.address()
      url = typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : ""
    })

    afterAll(async () => {
      await gateway.close()
      server.closeAllConnections()
      server.close()
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await database.close()
      await started.postgres?.close()
    })

    it("lets nobody in without a session, with a forged one, or past the gateway", async () => {
      const search = `node=members&b.company_id=${company(1)}&offset=-1`
      expect((await ask(search)).status).toBe(401)
      expect((await ask(search, cookieOf(amara, "another secret of sixteen letters"))).status).toBe(401)
      expect((await fetch(`${electric.url}/v1/shape?table=users&offset=-1`)).status).toBe(401)
    })

    it("refuses the rows of a company the caller is not in, and says so to nobody's cache", async () => {
      const refused = await ask(`node=members&b.company_id=${company(4)}&offset=-1`, cookieOf(amara))
      expect([refused.status, await refused.json()]).toMatchObject([403, { code: "revoked" }])
      expect(refused.headers.get("cache-control")).toBe("no-store")
    })

    it("brings an engine behind it to exactly the caller's rows, and follows the database", async () => {
      const pglite = await PGlite.create(databaseSettings(PGlite.defaultStartParams))
      const source = ElectricShapeSource.layer({
        url: `${url}/v1/shape`,
        kind: "gateway",
        headers: () => ({ cookie: cookieOf(mei) }),
      })
      const liveAndEqual = eventually(
        Effect.gen(function* () {
          const status = yield* (yield* Engine).status
          const [here, there] = yield* Effect.all([
            local(pglite),
            truthOf(async (sql) =>
              (await query(sql, mei)).map(({ row }) => ({ row: JSON.parse(String(row)) })),
            ),
          ])
          if (status.state !== "live") throw new NotYet(`${status.state}: ${JSON.stringify(status.nodes)}`)
          for (const table of tables) assert.deepStrictEqual(here[table], there[table], table)
        }),
      )
      await Effect.gen(function* () {
        yield* liveAndEqual
        const held = (yield* local(pglite))["companies"]?.length ?? 0
        const [other] = yield* Effect.promise(() =>
          query(
            "select id from companies where id not in (select company_id from company_members where user_id = $1::uuid)",
            mei,
          ),
        )
        const granted = String(other?.["id"])
        yield* Effect.promise(() =>
          query(
            "insert into company_members (company_id, user_id) values ($1::uuid, $2::uuid)",
            granted,
            mei,
          ),
        )
        yield* liveAndEqual
        assert.strictEqual((yield* local(pglite))["companies"]?.length, held + 1)
        // Revoked on the real server: the whole subtree leaves again.
        yield* Effect.promise(() =>
          query(
            "delete from company_members where company_id = $1::uuid and user_id = $2::uuid",
            granted,
            mei,
          ),
        )
        yield* liveAndEqual
      }).pipe(
        Effect.provide(localEngine({ pglite, graph, params: { userId: mei }, url, source })),
        Effect.scoped,
        Effect.runPromise,
      )
      await pglite.close()
    }, 60_000)

    it("passes events on as they come, and cuts the stream when the right is gone", async () => {
      const shape = `node=workspaces&b.company_id=${company(2)}`
      const first = await ask(`${shape}&offset=-1`, cookieOf(amara))
      await first.arrayBuffer()
      const position = `offset=${first.headers.get("electric-offset")}&handle=${first.headers.get("electric-handle")}`
      const stream = await ask(`${shape}&${position}&live=true&live_sse=true`, cookieOf(amara))
      expect([stream.status, stream.headers.get("content-type")]).toEqual([
        200,
        expect.stringContaining("text/event-stream"),
      ])
      const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
      await query(
        "insert into workspaces (company_id, name) values ($1::uuid, 'Over an event stream')",
        company(2),
      )
      let seen = ""
      while (!seen.includes("Over an event stream")) seen += (await reader.read()).value ?? ""
      await query(
        "delete from company_members where company_id = $1::uuid and user_id = $2::uuid",
        company(2),
        amara,
      )
      expect(await gateway.revoke({ params: { userId: amara } })).toBe(1)
      await expect(reader.read()).rejects.toBeDefined()
      expect((await ask(`${shape}&${position}&live=true&live_sse=true`, cookieOf(amara))).status).toBe(403)
    })

    it("ends a waiting poll with 403 when its membership goes, and lets the shape server go", async () => {
      const shape = `node=workspaces&b.company_id=${company(1)}`
      const first = await ask(`${shape}&offset=-1`, cookieOf(amara))
      await first.arrayBuffer()
      const before = electric.counts().waiters
      const position = `offset=${first.headers.get("electric-offset")}&handle=${first.headers.get("electric-handle")}`
      const poll = ask(`${shape}&${position}&live=true`, cookieOf(amara))
      await expect.poll(() => electric.counts().waiters).toBe(before + 1)
      await query(
        "delete from company_members where company_id = $1::uuid and user_id = $2::uuid",
        company(1),
        amara,
      )
      const target = { params: { userId: amara }, bindings: { company_id: company(1) } }
      expect(await gateway.revoke(target)).toBe(1)
      const ended = await poll
      expect([ended.status, await ended.json()]).toMatchObject([403, { code: "revoked" }])
      await expect.poll(() => electric.counts().waiters).toBe(before)
    })
  },
)

/** What psql makes of a script: variables quoted, and each cell of a `\gexec` query run as a statement. */
const runAsPsql = async (db: PGlite, script: string, password: string): Promise<void> => {
  const parts = script.replaceAll(":'electric_password'", `'${password}'`).split("\\gexec")
  for (const [index, part] of parts.entries()) {
    const statements = [...splitStatements(part)]
    const generator = index < parts.length - 1 ? statements.pop() : undefined
    for (const statement of statements) await db.exec(statement)
    if (generator === undefined) continue
    const { rows } = await db.query<Record<string, string>>(generator)
    for (const statement of rows.flatMap((row) => Object.values(row))) await db.exec(statement)
  }
}

describe("what `migrate` runs", () => {
  it("publishes exactly the tables of the graph, and lets Electric's role read them and nothing else", async () => {
    const db = await PGlite.create(databaseSettings(PGlite.defaultStartParams))
    // Twice, as at every start.
    for (const password of ["one", "two"]) {
      await db.exec(file("apps/demo/db/schema.sql"))
      await runAsPsql(db, file("deploy/electric.sql"), password)
    }
    await db.exec("create table vault (id int primary key)")
    const column = async (sql: string): Promise<ReadonlyArray<string>> =>
      (await db.query<{ readonly name: string }>(sql)).rows.map(({ name }) => name)
    const wanted = [...new Set(Object.values(graph.tables).map(({ from }) => from))].toSorted()
    const published =
      "select tablename as name from pg_publication_tables where pubname = 'electric_publication_default' order by 1"
    expect(await column(published)).toEqual(wanted)
    expect(
      await column(
        "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relreplident = 'f' order by 1",
      ),
    ).toEqual(wanted)
    const may = (right: string): Promise<ReadonlyArray<string>> =>
      column(
        `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and has_table_privilege('electric', oid, '${right}') order by 1`,
      )
    expect([await may("select"), await may("insert,update,delete,truncate")]).toEqual([wanted, []])
    expect(
      await column(
        "select rolname as name from pg_roles where rolname = 'electric' and rolreplication and not rolsuper",
      ),
    ).toEqual(["electric"])
    await db.close()
  })
})

/** `${NAME}`, `${NAME:-default}` and `${NAME:?message}` of a compose file or Caddyfile. */
const variablesOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/(?<!\$)\{?\$\{?([A-Z][A-Z\d_]+)/g)].map(([, name]) => name ?? "")
const definedIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^#? ?([A-Z][A-Z\d_]+)=/gm)].map(([, name]) => name ?? "")

describe("the example environments", () => {
  it("name every variable of the production file, and no other", () => {
    const used = new Set(variablesOf(file("docker-compose.prod.yml")))
    expect(definedIn(file(".env.production.example")).toSorted()).toEqual([...used].toSorted())
  })

  it("name every variable that the app and its command read", () => {
    const read = ["apps/demo/server/lib/settings.ts", "scripts/demo.ts", "scripts/lib/demoServers.ts"]
      .flatMap((path) => [...file(path).matchAll(/\benv\["?\.?\[?"?([A-Z][A-Z\d_]+)"/g)])
      .map(([, name]) => name ?? "")
    expect(read.length).toBeGreaterThan(8)
    const ours = new Set(definedIn(file(".env.example")))
    expect(read.filter((name) => !ours.has(name))).toEqual([])
  })
})
