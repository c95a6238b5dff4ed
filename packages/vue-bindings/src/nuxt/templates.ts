/**
 * The texts the Nuxt module generates: the glue that only Nuxt can resolve (the app's graph, its imports, its gateway).
 * Everything with logic in it lives in files; these only wire. Pure.
 */

const quoted = (text: string): string => JSON.stringify(text)

export interface GraphImport {
  /** Resolved path without a guess at its extension. */
  readonly path: string
  readonly name: string
}

const importGraph = ({ path, name }: GraphImport): string =>
  `import { ${name} as graph } from ${quoted(path)}`

/** The plugin: on a server an empty one per request, in the browser the same, with an engine to open. */
export const pluginText = (graph: GraphImport, runtime: string): string => `
import { defineNuxtPlugin, useRuntimeConfig } from "#imports"
import { createEspalier } from "@espalier/vue"
import { makeEngine } from ${quoted(runtime)}
${importGraph(graph)}

export default defineNuxtPlugin({
  name: "espalier",
  enforce: "pre",
  setup: (nuxtApp) => {
    const espalier = createEspalier({ graph })
    nuxtApp.vueApp.use(espalier)
    return { provide: { espalier, engine: makeEngine(espalier, useRuntimeConfig().public.espalier, nuxtApp) } }
  },
})
`

/** `useEngine()`, for auto-import. */
export const composableText = (runtime: string): string => `
import type { Engine } from ${quoted(runtime)}
import { useNuxtApp } from "#imports"

/** Opens and closes the engine of this app. */
export const useEngine = (): Engine => useNuxtApp().$engine
`

/** What the app's own types learn: its graph in every composable, the plugin's injections, the runtime config. */
export const typesText = (graph: GraphImport, runtime: string, options: string): string => `
import type { ${graph.name} as graph } from ${quoted(graph.path)}
import type { Espalier } from "@espalier/vue"
import type { Engine } from ${quoted(runtime)}
import type { EspalierRuntimeConfig } from ${quoted(options)}

declare module "@espalier/vue" {
  interface Register {
    graph: typeof graph
  }
}

interface EspalierInjections {
  readonly $espalier: Espalier<typeof graph>
  readonly $engine: Engine
}

declare module "#app" {
  interface NuxtApp extends EspalierInjections {}
}

declare module "vue" {
  interface ComponentCustomProperties extends EspalierInjections {}
}

declare module "nuxt/schema" {
  interface PublicRuntimeConfig {
    espalier: EspalierRuntimeConfig
  }
}

export {}
`

/** The gateway's route: asks the app for the gateway of this request and lets it answer. */
export const gatewayText = (handler: string): string => `
import { defineEventHandler } from "h3"
import { h3Handler } from "@espalier/gateway/h3"
import gatewayOf from ${quoted(handler)}

export default defineEventHandler(async (event) => h3Handler(await gatewayOf(event))(event))
`

/** A file of the bundle that is not there: plain text, because a worker made of HTML fails without saying why. */
export const missingWorkerText = (): string => `
import { defineEventHandler, setResponseHeader, setResponseStatus } from "h3"

export default defineEventHandler((event) => {
  setResponseStatus(event, 404)
  setResponseHeader(event, "content-type", "text/plain; charset=utf-8")
  return "Not found. The worker's bundle is not there: build @espalier/worker, or set espalier.workers.dir."
})
`
