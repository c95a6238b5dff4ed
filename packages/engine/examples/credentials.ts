/** Credentials that expire: one refresh for every instance that meets a 401, whatever their number. */
import { Credentials, Engine, HostSignals, makeCredentials } from "@espalier/engine"
import { ElectricShapeSource } from "@espalier/engine/electric"
import type { GraphData } from "@espalier/engine/graph"
import { MemoryLocalStore } from "@espalier/engine/memory"
import * as Layer from "effect/Layer"

// #region engine
/** Asks your own server; null when the session is over. */
const refresh = async () => {
  const response = await fetch("/api/token", { method: "POST" })
  if (!response.ok) return null
  return { headers: { authorization: `Bearer ${await response.text()}` } }
}

export const engineFor = (graph: GraphData, userId: string) =>
  Engine.layer({ graph, params: { userId } }).pipe(
    Layer.provide(MemoryLocalStore.layer({ graph })),
    Layer.provide(ElectricShapeSource.layer({ url: "/v1/shape", kind: "gateway" })),
    Layer.provide(Layer.succeed(HostSignals, HostSignals.alwaysOnline)),
    // Around source and engine: one asks them for each request, the other reopens what was halted for the old ones.
    Layer.provide(Layer.effect(Credentials, makeCredentials({ refresh }))),
  )
// #endregion
