/** Ending many runs at once over the real Electric source: a connection that one of them gives back is not handed to the next. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import * as ElectricShapeSource from "../../src/adapters/electric/ElectricShapeSource.ts"
import { MemoryLocalStore } from "../../src/adapters/memory/index.ts"
import { Engine } from "../../src/Engine.ts"
import { eq, Graph, identity, param } from "../../src/graph/index.ts"
import { HostSignals } from "../../src/ports/HostSignals.ts"
import { shapeHeaders } from "../support/scriptedElectric.ts"

const companies = 60

const graph = Graph.make({
  name: "closing",
  params: { userId: identity("text") },
  tables: {
    memberships: { columns: { id: "text", company_id: "text", user_id: "text" }, primaryKey: ["id"] },
    companies: { columns: { id: "text" }, primaryKey: ["id"] },
  },
  nodes: {
    mine: { table: "memberships", where: eq("user_id", param("userId")), key: "user-{userId}" },
    companies: { table: "companies", parent: "mine", on: { id: "company_id" }, key: "company-{id}" },
  },
})

const upToDate = { headers: { control: "up-to-date", global_last_seen_lsn: "0" } }

const rowsOf = (query: URLSearchParams) =>
  query.get("table") === "memberships"
    ? Array.from({ length: companies }, (_, index) => ({
        id: `m${index}`,
        company_id: `c${index}`,
        user_id: "u",
      }))
    : [{ id: query.get("params[1]") ?? "" }]

/** Answers the first request of a shape, then holds its polls until they are aborted. Notes when each was asked. */
const makeServer = () => {
  let asked = 0
  let open = 0
  const fetch: typeof globalThis.fetch = (input, init) => {
    asked += 1
    const query = new URL(String(input)).searchParams
    if (query.get("live") === "true") {
      open += 1
      return new Promise((_, reject) => {
        init?.signal?.addEventListener("abort", () => {
          open -= 1
          reject(new DOMException("aborted", "AbortError"))
        })
      })
    }
    const rows = query.get("offset") === "-1" ? rowsOf(query) : []
    const changes = rows.map((value) => ({ key: value.id, value, headers: { operation: "insert" } }))
    const headers = { ...shapeHeaders(`h-${query.get("params[1]")}`, "0_0"), "electric-up-to-date": "" }
    return Promise.resolve(new Response(JSON.stringify([...changes, upToDate]), { headers }))
  }
  return { fetch, asked: () => asked, open: () => open }
}

const start = (scope: Scope.Scope) =>
  Effect.gen(function* () {
    const server = makeServer()
    const layer = Engine.layer({ graph, params: { userId: "u" } }).pipe(
      Layer.provide(
        ElectricShapeSource.layer({
          url: "http://localhost/v1/shape",
          kind: "electric",
          fetch: server.fetch,
        }),
      ),
      Layer.provide(MemoryLocalStore.layer({ graph })),
      Layer.provide(Layer.succeed(HostSignals, HostSignals.alwaysOnline)),
    )
    const engine = Context.get(yield* Layer.buildWithScope(layer, scope), Engine)
    for (let turn = 0; turn < 1_000; turn += 1) {
      const { connections, progress } = yield* engine.status
      if (progress.live === companies + 1 && connections.waiting === companies + 1 - connections.max) break
      yield* Effect.sleep(10)
    }
    const { connections, progress } = yield* engine.status
    assert.deepStrictEqual([progress.live, connections.open], [companies + 1, connections.max])
    return { engine, server }
  })

describe("Ending many runs", () => {
  it.live("closing the engine begins no request, although nearly all instances waited for a connection", () =>
    Effect.gen(function* () {
      const scope = Scope.makeUnsafe()
      const { server } = yield* start(scope)
      const before = server.asked()
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(server.asked() - before, 0)
      assert.strictEqual(server.open(), 0)
    }),
  )

  it.live("a pause begins no request either, and the resumption uses every connection again", () =>
    Effect.gen(function* () {
      const { engine, server } = yield* start(yield* Scope.Scope)
      const before = server.asked()
      yield* engine.pause("manual")
      while (server.open() > 0) yield* Effect.sleep(5)
      yield* Effect.sleep(50)
      assert.strictEqual(server.asked() - before, 0)
      yield* engine.resume("manual")
      while ((yield* engine.status).connections.open < 4) yield* Effect.sleep(5)
    }),
  )
})
