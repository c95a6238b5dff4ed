/** A folder of this machine as the engine's database, for one process at a time. Quoted by `docs/storage.md`. */
import type { GraphData } from "@espalier/engine/graph"
import * as Effect from "effect/Effect"
// #region open
import { openDirectory } from "@espalier/engine/node"
import { PgliteLocalStore } from "@espalier/engine/pglite"

/** Open until the scope closes. */
export const localStore = (graph: GraphData) =>
  Effect.gen(function* () {
    const pglite = yield* openDirectory(".data/local")
    return yield* PgliteLocalStore.make({ pglite, graph })
  })
// #endregion
