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
  /** Every worker the page started, oldest first. */
  readonly workers: Array<Worker>
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
  workers: [],
  start: (settings) => {
    const client = createEngineClient({ ...settings, graph: (settings.graph ?? graph) as typeof graph })
    window.testPage.client = client
    client.onPhase((phase) => window.testPage.phases.push(phase))
  },
}

window.Worker = class extends window.Worker {
  constructor(url: string | URL, options?: WorkerOptions) {
    super(url, options)
    window.testPage.workers.push(this)
  }
}
