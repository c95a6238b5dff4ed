/**
 * Everything but the browser, for real: demo database → embedded server → HTTP → official client → reconciler → PGlite. Whatever the
 * server's database goes through, every local table ends up holding exactly the rows a plain join grants the user.
 */
import { PGlite } from "@electric-sql/pglite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { DevServerHandle } from "@espalier/dev-server"
import { Engine, LocalStore } from "@espalier/engine"
import { databaseSettings } from "@espalier/engine/pglite"
import { graph } from "../packages/engine/examples/workspaces.graph.ts"
import { eventually, localEngine, NotYet } from "./support/localEngine.ts"
import { amara, company, local, mei, seededDatabase, serve, tables, truth } from "./support/world.ts"

let scope: Scope.Closeable
let db: PGlite
let server: DevServerHandle

beforeAll(() =>
  Effect.runPromise(
    Effect.gen(function* () {
      scope = yield* Scope.make()
      db = yield* seededDatabase.pipe(Effect.provideService(Scope.Scope, scope))
      server = yield* serve(db).pipe(Effect.provideService(Scope.Scope, scope))
    }),
  ),
)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const openLocal = Effect.acquireRelease(
  Effect.promise(() => PGlite.create(databaseSettings(PGlite.defaultStartParams))),
  (pglite) => Effect.promise(() => pglite.close()),
)

const engineOn = (pglite: PGlite, userId: string, url = server.url) =>
  localEngine({ pglite, graph, params: { userId }, url })

const liveAndEqual = (pglite: PGlite, userId: string) =>
  eventually(
    Effect.gen(function* () {
      const status = yield* (yield* Engine).status
      const [here, there] = yield* Effect.all([local(pglite), truth(db, userId)])
      if (status.state !== "live")
        throw new NotYet(`state is ${status.state}: ${JSON.stringify(status.nodes)}`)
      for (const table of tables) assert.deepStrictEqual(here[table], there[table], table)
    }),
  )

const write = (sql: string, ...params: ReadonlyArray<string>) =>
  Effect.promise(() => db.query(sql, [...params]))

describe("the whole pipeline", () => {
  it.live(
    "brings every local table to exactly the rows the user may hold, and follows the server",
    () =>
      Effect.gen(function* () {
        const pglite = yield* openLocal
        yield* Effect.gen(function* () {
          yield* liveAndEqual(pglite, amara)

          yield* write("update companies set name = 'Renamed' where id = $1", company(1))
          yield* write("update users set name = 'New name', avatar_url = '/a.png' where id = $1", mei)
          yield* liveAndEqual(pglite, amara)

          // A folder moves between workspaces of two companies; a workspace moves with all its folders.
          yield* write(
            "update folders set workspace_id = (select id from workspaces where company_id = $2 limit 1) where id = (select f.id from folders f join workspaces w on w.id = f.workspace_id where w.company_id = $1 limit 1)",
            company(1),
            company(2),
          )
          yield* write(
            "update workspaces set company_id = $2 where id = (select id from workspaces where company_id = $1 limit 1)",
            company(2),
            company(3),
          )
          yield* liveAndEqual(pglite, amara)

          yield* write("insert into company_members (company_id, user_id) values ($1, $2)", company(4), amara)
          yield* liveAndEqual(pglite, amara)
          assert.isAbove((yield* local(pglite))["folders"]!.length, 0)

          yield* write(
            "delete from company_members where company_id = $1 and user_id = $2",
            company(1),
            amara,
          )
          yield* liveAndEqual(pglite, amara)

          yield* write("delete from companies where id = $1", company(2))
          yield* liveAndEqual(pglite, amara)
        }).pipe(Effect.provide(engineOn(pglite, amara)))
      }).pipe(Effect.scoped),
    120_000,
  )

  it.live(
    "shows everything from disk while the server is away, and goes on without fetching it again",
    () =>
      Effect.gen(function* () {
        const pglite = yield* openLocal
        yield* liveAndEqual(pglite, mei).pipe(Effect.provide(engineOn(pglite, mei)), Effect.scoped)
        const before = yield* local(pglite)

        yield* Effect.gen(function* () {
          const engine = yield* Engine
          yield* eventually(
            Effect.map(engine.status, (status) => {
              if (status.state !== "offline") throw new NotYet(status.state)
            }),
          )
          assert.deepStrictEqual(yield* local(pglite), before)
        }).pipe(Effect.provide(engineOn(pglite, mei, "http://127.0.0.1:9")), Effect.scoped)

        yield* write("update companies set name = name || ' again' where id = $1", company(3))
        yield* Effect.gen(function* () {
          const held = yield* (yield* LocalStore).instances
          yield* liveAndEqual(pglite, mei)
          const status = yield* (yield* Engine).status
          const received = Object.values(status.instances).reduce((sum, instance) => sum + instance.bytes, 0)
          const rows = held.reduce((sum, instance) => sum + instance.rows, 0)
          assert.isBelow(received, rows * 100, "a full download would be several hundred bytes a row")
          for (const instance of held)
            assert.strictEqual(
              status.instances[instance.key]?.handle,
              instance.checkpoint?.handle,
              instance.key,
            )
        }).pipe(Effect.provide(engineOn(pglite, mei)), Effect.scoped)
      }).pipe(Effect.scoped),
    120_000,
  )
})
