/**
 * The Postgres in this browser for one person: one database per person, so that another person on the same machine never
 * reads it. Graph, worker and shape route are the module's (`nuxt.config.ts`). Called by the session only, in the browser only.
 */
import type { BrowserEngineClient } from "@espalier/worker/client"

export interface PGliteSettings {
  readonly userId: string
  /** Prefix of the database's name, from PGLITE_DB_NAME on the server. */
  readonly database: string
}

/**
 * Starts the worker, or joins the tab that runs it already. Returns at once; what it is doing is its `phase`, and a worker
 * that cannot start becomes the phase `failed`.
 */
export const initPGlite = (
  engine: ReturnType<typeof useEngine>,
  { userId, database }: PGliteSettings,
): BrowserEngineClient => {
  const name = `${database}-${userId}`
  return engine.open({ name, dataDir: `idb://${name}`, params: { userId } })
}
