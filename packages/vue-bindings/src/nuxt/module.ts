/**
 * The Nuxt module: what an app would otherwise wire by hand. It registers and nothing else: the plugin (empty on a
 * server), auto-imports, the graph's types, the worker's files, Vite's settings for PGlite, and the gateway's route.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import {
  addComponent,
  addImports,
  addPluginTemplate,
  addServerHandler,
  addServerTemplate,
  addTemplate,
  addTypeTemplate,
  addVitePlugin,
  createResolver,
  defineNuxtModule,
  extendViteConfig,
  resolvePath,
  useLogger,
  type Resolver,
} from "@nuxt/kit"
import type { NuxtModule } from "@nuxt/schema"
import {
  bundleFile,
  defaultGraph,
  defaultShapePath,
  defaultWorkersPath,
  type ModuleOptions,
} from "./options.ts"
import {
  composableText,
  gatewayText,
  missingWorkerText,
  pluginText,
  typesText,
  type GraphImport,
} from "./templates.ts"

export type { EspalierRuntimeConfig, GatewayRoute, ModuleOptions } from "./options.ts"

const composables = [
  "createEspalier",
  "defineEspalier",
  "sql",
  "useCredentials",
  "useEspalier",
  "useExplain",
  "useInstance",
  "useJournal",
  "useLease",
  "useLiveQuery",
  "useNode",
  "useParams",
  "useRows",
  "useStorage",
  "useSyncStatus",
] as const

const components = ["SyncBoundary", "SyncIndicator", "SyncPanel"] as const

/** Nitro's part of Nuxt's options, as far as this module writes it; its types come with Nuxt, not with the kit. */
interface NitroOptions {
  publicAssets?: Array<{ baseURL: string; dir: string; maxAge: number; fallthrough: boolean }>
}

/** The folder of the worker's bundle: the same from the sources of this repository and from the published package. */
const bundledWorker = (rootDir: string): string => {
  const fromApp = createRequire(pathToFileURL(join(rootDir, "package.json")))
  return join(dirname(fromApp.resolve("@espalier/worker")), "../dist/bundle")
}

const withoutSlash = (path: string): string => path.replace(/\/+$/, "")

/** PGlite finds its assets by its own address, which Vite's pre-bundling would move; workers are modules. */
const configureVite = (resolver: Resolver): void => {
  extendViteConfig((config) => {
    config.optimizeDeps ??= {}
    config.optimizeDeps.exclude = [...(config.optimizeDeps.exclude ?? []), "@electric-sql/pglite"]
    config.worker = { ...config.worker, format: "es" }
  })
  const stub = fileURLToPath(new URL(`./runtime/serverWorker${extension}`, import.meta.url))
  addVitePlugin({
    name: "espalier:no-worker-on-servers",
    enforce: "pre",
    resolveId: (id, _importer, options) =>
      options.ssr === true && id === "@espalier/worker/client" ? resolver.resolve(stub) : null,
  })
}

/** Files of this package are `.ts` in the repository and `.js` where it is installed. */
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js"

const importEverything = (): void => {
  addImports(composables.map((name) => ({ name, from: "@espalier/vue" })))
  for (const name of components) addComponent({ name, export: name, filePath: "@espalier/vue" })
}

/** Plugin, `useEngine` and the types that know the app's graph. */
const addRuntime = (graph: GraphImport, resolver: Resolver): void => {
  const runtime = resolver.resolve("./runtime/engine")
  addPluginTemplate({ filename: "espalier/plugin.mjs", getContents: () => pluginText(graph, runtime) })
  const { dst } = addTemplate({
    filename: "espalier/useEngine.ts",
    write: true,
    getContents: () => composableText(runtime),
  })
  addTypeTemplate(
    {
      filename: "types/espalier.d.ts",
      getContents: () => typesText(graph, runtime, resolver.resolve("./options")),
    },
    { nuxt: true },
  )
  addImports({ name: "useEngine", from: dst })
}

const addGateway = async (gateway: ModuleOptions["gateway"]): Promise<string | null> => {
  if (gateway === undefined || gateway === false) return null
  const route = typeof gateway === "string" ? { handler: gateway } : gateway
  const handler = await resolvePath(route.handler)
  addServerTemplate({ filename: "#espalier/gateway.mjs", getContents: () => gatewayText(handler) })
  const path = route.path ?? defaultShapePath
  addServerHandler({ route: path, handler: "#espalier/gateway.mjs" })
  return path
}

const nuxtModule: NuxtModule<ModuleOptions> = defineNuxtModule<ModuleOptions>({
  meta: { name: "@espalier/vue", configKey: "espalier", compatibility: { nuxt: ">=4.0.0" } },
  setup: async (options, nuxt) => {
    const resolver = createResolver(import.meta.url)
    const log = useLogger("espalier")

    const graph: GraphImport = {
      path: (await resolvePath(options.graph ?? defaultGraph)).replace(/\.(ts|mts|js|mjs)$/, ""),
      name: options.graphExport ?? "graph",
    }
    addRuntime(graph, resolver)
    if (options.autoImports !== false) importEverything()
    if (options.css !== false) nuxt.options.css.push("@espalier/vue/panel.css")
    nuxt.options.build.transpile.push("@espalier/vue", resolver.resolve("./runtime"))
    configureVite(resolver)

    const baseURL = withoutSlash(options.workers?.baseURL ?? defaultWorkersPath)
    const dir = options.workers?.dir ?? bundledWorker(nuxt.options.rootDir)
    if (!nuxt.options._prepare && !existsSync(join(dir, bundleFile))) {
      log.warn(`The worker's bundle is not in ${dir}: pages will show why they do not start. Build it first.`)
    }
    const nitro = ((nuxt.options as unknown as { nitro?: NitroOptions }).nitro ??= {})
    nitro.publicAssets = [...(nitro.publicAssets ?? []), { baseURL, dir, maxAge: 0, fallthrough: true }]
    addServerTemplate({ filename: "#espalier/missing-worker.mjs", getContents: missingWorkerText })
    addServerHandler({ route: `${baseURL}/**`, handler: "#espalier/missing-worker.mjs" })

    const mounted = await addGateway(options.gateway)
    const config = nuxt.options.runtimeConfig.public as Record<string, unknown>
    config["espalier"] = {
      shapeUrl: options.shapeUrl ?? mounted ?? defaultShapePath,
      workerUrl: `${baseURL}/${bundleFile}`,
    }
  },
})

export default nuxtModule
