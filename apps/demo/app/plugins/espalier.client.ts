/**
 * Installs Espalier and the session for the whole app. The engine's client comes and goes with the session: nobody signed in, no
 * database open. Also hands the client to the browser's console as `espalier`, where `await espalier.query("select …")` answers.
 */
import { createEspalier } from "@espalier/vue"
import type { EngineClient } from "@espalier/worker"
import { graph } from "../../shared/graph"
import { initPGlite } from "../utils/pglite-client"
import { createSession } from "../utils/session"

declare module "@espalier/vue" {
  interface Register {
    graph: typeof graph
  }
}

declare global {
  interface Window {
    /** The engine's client of the person who is signed in, for the console. */
    espalier?: EngineClient
  }
}

export default defineNuxtPlugin((nuxtApp) => {
  const espalier = createEspalier({ graph })
  nuxtApp.vueApp.use(espalier)
  const session = createSession({
    open: initPGlite,
    use: (client) => {
      espalier.setClient(client)
      if (client === null) delete window.espalier
      else window.espalier = client
    },
  })
  return { provide: { session } }
})
