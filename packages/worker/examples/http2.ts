/** Settings for an origin that speaks HTTP/2. Quoted by `docs/sync.md`. */
import type { GraphData } from "@espalier/engine/graph"
import { createEngineClient } from "@espalier/worker/client"

export const open = (graph: GraphData, userId: string) =>
  // #region config
  createEngineClient({
    name: `workspaces-${userId}`,
    dataDir: `idb://workspaces-${userId}`,
    graph,
    params: { userId },
    source: { kind: "gateway", url: "/v1/shape" },
    workerUrl: "/workers/pglite.bundle.js",
    config: { maxConnections: 32 },
  })
// #endregion
