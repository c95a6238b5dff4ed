/**
 * How an app installs the plugin, types the composables by its graph, and exchanges the client at run time.
 */
import { createApp, type Component } from "vue"
import type { EngineClient } from "@espalier/worker"
import { createEspalier, defineEspalier } from "@espalier/vue"
import { graph } from "./graph.ts"

// #region define
/** Typed by the graph: a wrong node, column or binding is a compile error, in templates too. */
export const { useRows, useLiveQuery, useNode, useLease } = defineEspalier<typeof graph>()
// #endregion

export const start = (root: Component, openClient: (userId: string) => Promise<EngineClient>) => {
  // #region install
  const espalier = createEspalier({ graph })
  createApp(root).use(espalier).mount("#app")
  // #endregion

  // #region sign-in
  const signIn = async (userId: string): Promise<void> => espalier.setClient(await openClient(userId))

  const signOut = async (): Promise<void> => {
    const client = espalier.client.value
    espalier.setClient(null) // every composable is empty from here on
    await client?.call("wipe")
    await client?.close()
  }
  // #endregion
  return { signIn, signOut }
}
