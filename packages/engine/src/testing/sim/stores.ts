/** The memory store as a simulation wants it: it can be looked at and crashed. */
import * as Effect from "effect/Effect"
import { makeMemoryStore } from "../../adapters/memory/MemoryLocalStore.ts"
import type { GraphData } from "../../graph/Graph.ts"
import type { SimStore } from "./GuardedStore.ts"

/** A new memory store for the graph's tables. */
export const memorySimStore = (graph: GraphData): Effect.Effect<SimStore> =>
  Effect.map(makeMemoryStore({ graph }), ({ controls, store }) => ({
    store: () => store,
    rows: controls.rows,
    reopen: controls.crash,
  }))
