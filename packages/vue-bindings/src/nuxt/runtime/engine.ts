/**
 * Opens and closes the engine of a Nuxt page with what the module knows (graph, addresses), so that an app says only
 * whose database it is. Runs in the browser; on a server `open` throws, because there is no worker.
 */
import {
  createEngineClient,
  type BrowserEngineClient,
  type EngineClientSettings,
} from "@espalier/worker/client"
import type { AnyGraph } from "../../types.ts"
import type { Espalier } from "../../injection.ts"
import type { EspalierRuntimeConfig } from "../options.ts"

/** What an app says of its database; the rest comes from the module. */
export interface OpenEngine
  extends
    Pick<EngineClientSettings, "name">,
    Partial<Omit<EngineClientSettings, "name" | "graph" | "workerUrl" | "source">> {}

export interface Engine {
  /**
   * Starts the worker, or joins the tab that runs it, and gives it to every composable; an engine that is open is closed
   * first. `name` tells databases apart: one per person. Default `dataDir`: `idb://` and the name.
   * @throws HostFailed on a server
   */
  readonly open: (settings: OpenEngine) => BrowserEngineClient
  /** Empties every composable, then ends this tab's part; `wipe` also deletes the rows of this database first. */
  readonly close: (options?: { readonly wipe?: boolean }) => Promise<void>
}

/** What the handle needs to know of Nuxt's app; its types come with Nuxt, not with this package. */
export interface NuxtHydration {
  readonly isHydrating?: boolean
  readonly payload: { readonly serverRendered?: boolean }
  readonly hooks: { readonly hookOnce: (name: "app:suspense:resolve", run: () => void) => unknown }
}

/**
 * Makes the engine's handle for one app. A page that was rendered on a server is hydrated first, as the server saw it
 * (without rows), and follows the engine from then on: otherwise the two would not match.
 */
export const makeEngine = (
  espalier: Espalier<AnyGraph>,
  config: EspalierRuntimeConfig,
  nuxt: NuxtHydration,
): Engine => {
  const give = (next: BrowserEngineClient): void => {
    if (nuxt.isHydrating !== true || nuxt.payload.serverRendered !== true) return espalier.setClient(next)
    nuxt.hooks.hookOnce("app:suspense:resolve", () => {
      if (client === next) espalier.setClient(next)
    })
  }
  let client: BrowserEngineClient | null = null
  const leave = (): BrowserEngineClient | null => {
    const former = client
    client = null
    espalier.setClient(null)
    return former
  }
  return {
    open: (settings) => {
      void leave()?.close()
      client = createEngineClient({
        dataDir: `idb://${settings.name}`,
        params: {},
        ...settings,
        graph: espalier.graph,
        source: { kind: "gateway", url: config.shapeUrl },
        workerUrl: config.workerUrl,
      })
      give(client)
      return client
    },
    close: async (options) => {
      const former = leave()
      if (former === null) return
      try {
        if (options?.wipe === true) await former.call("wipe")
      } finally {
        await former.close()
      }
    },
  }
}
