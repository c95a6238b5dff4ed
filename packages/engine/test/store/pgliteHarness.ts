/** One PGlite for a whole test file: every test gets an empty store on it, because starting a database takes seconds. */
import type { PGlite } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import { PgliteLocalStore } from "../../src/adapters/pglite/index.ts"
import type { GraphData } from "../../src/graph/Graph.ts"
import type { LocalStore } from "../../src/ports/LocalStore.ts"
import type { TextRow } from "../../src/protocol/Message.ts"
import { quoteIdent } from "../../src/protocol/compile.ts"
import { contractGraph, type LocalStoreHarness } from "../../src/testing/localStoreKit.ts"

/** The rows of a table as Postgres text, sorted by primary key text. */
export const rowsOf = (
  pglite: PGlite,
  table: string,
  graph: GraphData = contractGraph,
): Effect.Effect<ReadonlyArray<TextRow>, unknown> =>
  Effect.tryPromise(async () => {
    const def = graph.tables[table]
    const columns = Object.keys(def?.columns ?? {}).map(
      (name) => `${quoteIdent(name)}::text as ${quoteIdent(name)}`,
    )
    const keys = (def?.primaryKey ?? []).map((name) => `${quoteIdent(name)}::text collate "C"`)
    const result = await pglite.query<TextRow>(
      `select ${columns.join(", ")} from ${quoteIdent(table)} order by ${keys.join(", ")}`,
    )
    return result.rows
  })

/** An empty store on an open database; reopening makes a new store on the same data. */
export const harnessOn = (
  pglite: PGlite,
  graph: GraphData = contractGraph,
  fewestCopied = 50,
): Effect.Effect<LocalStoreHarness, unknown> =>
  Effect.gen(function* () {
    const open = PgliteLocalStore.make({ pglite, graph, fewestCopied })
    let store: LocalStore["Service"] = yield* open
    yield* store.wipe
    return {
      store: () => store,
      rows: (table) => rowsOf(pglite, table, graph),
      reopen: Effect.map(open, (opened) => {
        store = opened
      }),
    }
  })
