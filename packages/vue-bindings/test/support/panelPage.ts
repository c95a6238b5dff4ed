/**
 * The page of the panel's browser tests: an app with the panel on a scripted client, which the tests move through `window.scene`.
 * Bundled by `panelSite.ts`; runs in Chromium only.
 */
import { createApp, h } from "vue"
import { graph } from "../../examples/graph.ts"
import {
  createEspalier,
  SyncIndicator,
  SyncPanel,
  type FaultControl,
  type FaultInForce,
} from "../../src/index.ts"
import { paceMillis } from "../../src/panel/usePanel.ts"
import { makeFakeClient } from "./FakeEngineClient.ts"
import { busyStatus, playScene } from "./scene.ts"
import type {} from "./sceneControls.ts"

let inForce: ReadonlyArray<FaultInForce> = []
const faults: FaultControl = {
  list: async () => inForce,
  add: async (fault) => void (inForce = [...inForce, { ...fault, id: String(inForce.length), happened: 0 }]),
  remove: async (id) => void (inForce = inForce.filter((one) => one.id !== id)),
  clear: async () => void (inForce = []),
}

const client = makeFakeClient(graph, { userId: "1" })
const app = createApp({
  render: () => h("main", [h("h1", "A page"), h(SyncIndicator), h(SyncPanel, { faults })]),
})
app.use(createEspalier({ graph, client }))
app.mount("#app")

window.scene = {
  play: () => playScene(client, Date.now()),
  settled: () =>
    new Promise((resolve) => setTimeout(() => requestAnimationFrame(() => resolve()), 2 * paceMillis)),
  run: ({ count, ticks, everyMillis }) =>
    new Promise((resolve) => {
      let tick = 0
      const timer = setInterval(() => {
        client.setStatus(busyStatus(count, tick))
        tick += 1
        if (tick < ticks) return
        clearInterval(timer)
        resolve()
      }, everyMillis)
    }),
}
