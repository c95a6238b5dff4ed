/**
 * Opens the Postgres in this browser for one person and starts the engine that fills it. One database per person: another
 * person on the same machine never reads it. Called by the session only, in the browser only.
 */
import { createEngineClient, type BrowserEngineClient } from "@espalier/worker/client"
import { graph } from "../../shared/graph"

export interface PGliteSettings {
  readonly userId: string
  /** Prefix of the database's name, from PGLITE_DB_NAME on the server. */
  readonly database: string
}

/** Where the worker's bundle is served (`nitro.publicAssets`). */
export const workerUrl = "/workers/pglite.bundle.js"

/**
 * Starts the worker, or joins the tab that runs it already. Returns at once; what it is doing is its `phase`, and a worker
 * that cannot start becomes the phase `failed`. Close it before opening another.
 */
export const initPGlite = ({ userId, database }: PGliteSettings): BrowserEngineClient => {
  const name = `${database}-${userId}`
  return createEngineClient({
    name,
    dataDir: `idb://${name}`,
    graph,
    params: { userId },
    source: { kind: "gateway", url: "/v1/shape" },
    workerUrl,
  })
}
