/**
 * An engine with dozens of instances over the real Electric source, and a server that holds their polls: a `fetch` in memory that the
 * test may let fail. Tests only.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import * as ElectricShapeSource from "../../src/adapters/electric/ElectricShapeSource.ts"
import { MemoryLocalStore } from "../../src/adapters/memory/index.ts"
import { Engine } from "../../src/Engine.ts"
import { eq, Graph, identity, param } from "../../src/graph/index.ts"
import { HostSignals } from "../../src/ports/HostSignals.ts"
import { shapeHeaders } from "./scriptedElectric.ts"

export const companies = 24

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

export interface PollServer {
  readonly fetch: typeof globalThis.fetch
  /** Requests so far, and those held now. */
  readonly asked: () => number
  readonly open: () => number
  /** From now on every request fails in this way; the polls it holds end with a network error. */
  readonly fall: (how: () => Promise<Response>) => void
}

/** Answers the first request of a shape, then holds its polls until they are aborted. */
const makeServer = (): PollServer => {
  let asked = 0
  let open = 0
  let failure: (() => Promise<Response>) | null = null
  const drops = new Set<() => void>()
  const fetch: typeof globalThis.fetch = (input, init) => {
    asked += 1
    if (failure !== null) return failure()
    const query = new URL(String(input)).searchParams
    if (query.get("live") === "true") {
      open += 1
      return new Promise((_, reject) => {
        const end = (error: Error) => (): void => {
          if (drops.delete(drop)) open -= 1
          reject(error)
        }
        const drop = end(new TypeError("fetch failed"))
        drops.add(drop)
        init?.signal?.addEventListener("abort", end(new DOMException("aborted", "AbortError")))
      })
    }
    const rows = query.get("offset") === "-1" ? rowsOf(query) : []
    const changes = rows.map((value) => ({ key: value.id, value, headers: { operation: "insert" } }))
    const headers = { ...shapeHeaders(`h-${query.get("params[1]")}`, "0_0"), "electric-up-to-date": "" }
    return Promise.resolve(new Response(JSON.stringify([...changes, upToDate]), { headers }))
  }
  const fall = (how: () => Promise<Response>): void => {
    failure = how
    for (const drop of [...drops]) drop()
  }
  return { fetch, asked: () => asked, open: () => open, fall }
}

/** All instances live, every connection taken, everybody else waiting for one. */
export const startPolling = (scope: Scope.Scope) =>
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
