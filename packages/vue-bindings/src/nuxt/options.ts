/**
 * The options of the Nuxt module, their defaults, and what of them reaches the page as runtime config. Types and
 * constants only.
 */

export interface ModuleOptions {
  /** File that exports the app's graph, as Nuxt resolves paths. Default `~~/shared/graph`. */
  readonly graph?: string
  /** Name of the export in that file. Default `graph`. */
  readonly graphExport?: string
  /**
   * Mounts the gateway: a file whose default export gives the `Gateway` for a request, `(event) => Gateway`, or an
   * object that also says where. Left out or false: no route; shapes are fetched from `shapeUrl`.
   */
  readonly gateway?: string | GatewayRoute | false
  /** Where shapes are fetched. Default: the gateway's path, else `/v1/shape`. Runtime: `NUXT_PUBLIC_ESPALIER_SHAPE_URL`. */
  readonly shapeUrl?: string
  /** Where the worker's bundle is served, and from which folder. Default `/workers`, from `@espalier/worker`. */
  readonly workers?: { readonly baseURL?: string; readonly dir?: string }
  /** Composables and components without imports. Default true. */
  readonly autoImports?: boolean
  /** Adds the stylesheet of `<SyncPanel>` and `<SyncIndicator>`. Default true. */
  readonly css?: boolean
}

export interface GatewayRoute {
  readonly handler: string
  /** Default `/v1/shape`. */
  readonly path?: string
}

/** `useRuntimeConfig().public.espalier`; every value can be set when the server starts. */
export interface EspalierRuntimeConfig {
  /** Absolute or origin-relative URL of the shape route. */
  shapeUrl: string
  /** Address of `pglite.bundle.js`; its assets lie beside it. */
  workerUrl: string
}

export const defaultGraph = "~~/shared/graph"
export const defaultShapePath = "/v1/shape"
export const defaultWorkersPath = "/workers"
export const bundleFile = "pglite.bundle.js"
