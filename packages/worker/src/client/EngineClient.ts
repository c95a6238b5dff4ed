/**
 * The page half of the engine: starts this tab's worker, joins the tabs that share one database, and offers
 * status, leases, commands and reads. Called by the app's plugin, once per page; close a client before making
 * another of the same name.
 */
import type { PGliteWorker } from "@electric-sql/pglite/worker"
import type { EngineClient, HostSettings } from "../contract.ts"
import { HostFailed } from "./errors.ts"
import { PageClient } from "./PageClient.ts"

/** What {@link createEngineClient} takes: the host's settings and where its bundle is served. */
export interface EngineClientSettings extends HostSettings {
  /** Address of `pglite.bundle.js`; its assets lie beside it. */
  readonly workerUrl: string | URL
  /**
   * A start without progress becomes `failed` after this long. Default 60,000: a first start creates a
   * database.
   */
  readonly startTimeoutMillis?: number
  /** A command without an answer fails with `HostUnavailable` after this long. Default 30,000. */
  readonly callTimeoutMillis?: number
  /**
   * A read fails with `HostUnavailable` after this long, counted from when the database is open. Default
   * 30,000.
   */
  readonly queryTimeoutMillis?: number
  /**
   * Whether to ask the browser not to clear this origin's storage under pressure. Default true. Firefox asks the user: pass false
   * to do it yourself at a better moment (`navigator.storage.persist()`).
   */
  readonly requestPersistence?: boolean
}

/**
 * The client of a browser page, with the database itself for what `query` does not cover (live queries, local
 * tables).
 */
export interface BrowserEngineClient extends EngineClient {
  /**
   * Resolves when the database is open; rejects with `HostFailed`. Its calls are raw: they reject when the
   * leader changes, and its `isLeader` is unreliable (use the client's).
   */
  readonly pg: Promise<PGliteWorker>
}

const noPage =
  "createEngineClient needs a browser page: call it in the browser only, not while rendering on a server."

/**
 * Starts the engine for this page, or joins the tab that runs it. Returns at once; follow `phase`. A missing
 * or broken bundle, database or graph becomes the phase `failed` with what to do.
 *
 * @throws HostFailed outside a browser page.
 */
export const createEngineClient = (settings: EngineClientSettings): BrowserEngineClient => {
  if (typeof document === "undefined") throw new HostFailed(noPage)
  const client = new PageClient(settings)
  // A plain frozen object: members may be taken apart, and a reactive framework leaves it alone instead of
  // wrapping it in a proxy.
  return Object.freeze<BrowserEngineClient>({
    graph: client.graph,
    pg: client.pg,
    get params() {
      return client.params
    },
    get status() {
      return client.status
    },
    get phase() {
      return client.phase
    },
    get storage() {
      return client.storage
    },
    get isLeader() {
      return client.isLeader
    },
    onStatus: (listener) => client.onStatus(listener),
    onPhase: (listener) => client.onPhase(listener),
    onStorage: (listener) => client.onStorage(listener),
    onParams: (listener) => client.onParams(listener),
    onCommit: (listener) => client.onCommit(listener),
    query: (sql, values) => client.query(sql, values),
    inspect: (sql) => client.inspect(sql),
    acquire: (lease) => client.acquire(lease),
    call: (name, ...args) => client.call(name, ...args),
    setParams: (params) => client.setParams(params),
    close: () => client.close(),
  })
}
