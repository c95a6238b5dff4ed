/**
 * `@espalier/vue/devtools`: the graph in Vue DevTools, as an inspector and a timeline. A plugin of its own, so that an app which does
 * not ask for it does not carry it: `if (import.meta.env.DEV) app.use(espalierDevtools())`, after `createEspalier`.
 */
import { setupDevtoolsPlugin } from "@vue/devtools-api"
import { effectScope, type Plugin } from "vue"
import { defaultName, injectEspalier, type NameOption } from "../injection.ts"
import { isServer } from "../internal/fromSubscription.ts"
import { connectDevtools } from "./connect.ts"

export { connectDevtools } from "./connect.ts"
export type { DevtoolsApi } from "./connect.ts"

/** Shows one graph in Vue DevTools. Does nothing on a server. Install it after `createEspalier`. */
export const espalierDevtools = (options: NameOption = {}): Plugin => ({
  install(app) {
    if (isServer()) return
    const espalier = app.runWithContext(() => injectEspalier("espalierDevtools()", options))
    const id = `espalier:${options.name ?? defaultName}`
    setupDevtoolsPlugin(
      {
        id,
        label: `Espalier ${espalier.graph.name}`,
        packageName: "@espalier/vue",
        app,
        enableEarlyProxy: true,
      },
      (api) => {
        const scope = effectScope(true)
        scope.run(() => connectDevtools(api, id, espalier))
        app.onUnmount(() => scope.stop())
      },
    )
  },
})
