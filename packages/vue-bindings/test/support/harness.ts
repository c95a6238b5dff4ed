/** Mounts small components in an app with the plugin, and runs composables without a template. */
import { mount, type VueWrapper } from "@vue/test-utils"
import { createApp, defineComponent, h, nextTick, type App } from "vue"
import type { EngineClient } from "@espalier/worker"
import { graph } from "../../examples/graph.ts"
import { createEspalier, defineEspalier, type Espalier } from "../../src/index.ts"
import { instance, makeFakeClient, statusOf, type FakeEngineClient } from "./FakeEngineClient.ts"

export { graph }
export const typed = defineEspalier<typeof graph>()

export const userId = "00000000-0000-4000-8000-0000000000a1"
export const acme = "00000000-0000-4000-8000-0000000000c1"
export const birch = "00000000-0000-4000-8000-0000000000c2"

/** Microtasks and Vue's queue have run dry. */
export const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await nextTick()
}

export const makeClient = (): FakeEngineClient => makeFakeClient(graph, { userId })

/** Everything above and of a company is live. */
export const allLive = statusOf(graph, [
  instance(graph, { key: `user-${userId}-memberships`, node: "mine" }),
  instance(graph, { key: `company-${acme}`, node: "companies", bindings: { id: acme } }),
  instance(graph, { key: `company-${acme}-workspaces`, node: "workspaces", bindings: { company_id: acme } }),
  instance(graph, { key: `company-${acme}-folders`, node: "folders", bindings: { company_id: acme } }),
  instance(graph, { key: `company-${acme}-members`, node: "members", bindings: { company_id: acme } }),
])

export interface Mounted<Result> {
  readonly result: Result
  readonly espalier: Espalier<typeof graph>
  readonly wrapper: VueWrapper
}

/** Runs a composable in a component's setup. */
export const mountSetup = <Result>(client: EngineClient | null, setup: () => Result): Mounted<Result> => {
  const espalier = createEspalier({ graph, client })
  const got: Array<Result> = []
  const component = defineComponent({
    setup() {
      got.push(setup())
      return () => h("div")
    },
  })
  const wrapper = mount(component, { global: { plugins: [espalier] } })
  return { result: got[0] as Result, espalier, wrapper }
}

/** Runs a function inside an app, outside of any component. */
export const inApp = <Result>(run: () => Result, use: (app: App) => void = () => {}): Result => {
  const app = createApp({ render: () => null })
  use(app)
  return app.runWithContext(run)
}
