/** One PGlite for a whole test file: every test gets an empty store on it, because starting a database takes seconds. */
import { PGlite } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import { databaseSettings, PgliteLocalStore } from "../../src/adapters/pglite/index.ts"
import type { GraphData } from "../../src/graph/Graph.ts"
import { type InstanceCommit, LocalStore } from "../../src/ports/LocalStore.ts"
import { withContent } from "../../src/protocol/index.ts"
import { readBody } from "../../src/adapters/electric/wire.ts"
import type { TextRow } from "../../src/protocol/Message.ts"
import { quoteIdent } from "../../src/protocol/compile.ts"
import { contractGraph, type LocalStoreHarness } from "../../src/testing/localStoreKit.ts"

/** Opens a database as hosts do; in memory without a directory. */
export const openPglite = (directory?: string): Promise<PGlite> =>
  PGlite.create({
    ...databaseSettings(PGlite.defaultStartParams),
    ...(directory === undefined ? {} : { dataDir: directory }),
  })

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

/** The share with its rows packed as they come off the wire, where they can be. */
export const packShare = (share: InstanceCommit): InstanceCommit => {
  const body = readBody(new TextEncoder().encode(JSON.stringify(share.messages)))
  const { checkpoint, instance, mode, upToDate } = share
  return body._tag === "Body" && body.packed !== undefined
    ? withContent({ instance, mode, checkpoint, upToDate }, body)
    : share
}

/** A store that is given packed rows wherever there are some. */
const packing = (store: LocalStore["Service"]): LocalStore["Service"] =>
  LocalStore.of({ ...store, commit: (shares) => store.commit(shares.map(packShare)) })

/** An empty store on an open database; reopening makes a new store on the same data. */
export const harnessOn = (
  pglite: PGlite,
  graph: GraphData = contractGraph,
  { fewestCopied = 50, packed = false }: { readonly fewestCopied?: number; readonly packed?: boolean } = {},
): Effect.Effect<LocalStoreHarness, unknown> =>
  Effect.gen(function* () {
    const made = PgliteLocalStore.make({ pglite, graph, fewestCopied })
    const open = packed ? Effect.map(made, packing) : made
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
