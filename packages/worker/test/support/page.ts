/** Script of the test page: puts the page half within reach of `page.evaluate`. Bundled by `siteServer`. */
import { graph } from "../../../engine/examples/workspaces.graph.ts"
import {
  createEngineClient,
  type BrowserEngineClient,
  type EngineClientSettings,
} from "../../src/client/index.ts"
import type { HostPhase } from "../../src/contract.ts"

/** What the test page offers. */
export interface TestPage {
  readonly graph: typeof graph
  readonly phases: Array<HostPhase>
  client: BrowserEngineClient | null
  readonly start: (settings: Omit<EngineClientSettings, "graph"> & { readonly graph?: unknown }) => void
}

declare global {
  interface Window {
    testPage: TestPage
  }
}

window.testPage = {
  graph,
  phases: [],
  client: null,
  start: (settings) => {
    const client = createEngineClient({ ...settings, graph: (settings.graph ?? graph) as typeof graph })
    window.testPage.client = client
    client.onPhase((phase) => window.testPage.phases.push(phase))
  },
}
