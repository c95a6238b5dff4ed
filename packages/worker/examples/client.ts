/** A page's client of the worker, as `docs/worker.md` shows it. */
import type { GraphData } from "@espalier/engine/graph"
// #region client
import { createEngineClient } from "@espalier/worker/client"

export const open = (graph: GraphData, userId: string) =>
  createEngineClient({
    name: `workspaces-${userId}`, // one user = one name: election, channels and locks
    dataDir: `idb://workspaces-${userId}`,
    graph, // data; the worker validates it again
    params: { userId },
    source: { kind: "gateway", url: "/v1/shape" },
    workerUrl: "/workers/pglite.bundle.js",
  })
// #endregion

export const use = async (client: ReturnType<typeof open>, id: string): Promise<unknown> => {
  // #region use
  client.onPhase((phase) => console.log(phase))
  const rows = await client.query("select * from companies")
  const lease = client.acquire({ node: "folders" })
  await client.call("refetch", `company-${id}`)
  lease.release()
  await client.close()
  // #endregion
  return rows
}
