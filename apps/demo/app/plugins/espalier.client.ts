/**
 * The session for the whole app. The engine's client comes and goes with it: nobody signed in, no database open. Also hands the
 * client to the browser's console as `espalier`, where `await espalier.query("select …")` answers.
 */
import type { EngineClient } from "@espalier/worker"
import { initPGlite } from "../utils/pglite-client"
import { createSession } from "../utils/session"

declare global {
  interface Window {
    /** The engine's client of the person who is signed in, for the console. */
    espalier?: EngineClient
  }
}

export default defineNuxtPlugin(() => {
  const [engine, espalier] = [useEngine(), useEspalier()]
  const session = createSession({
    open: (settings) => initPGlite(engine, settings),
    use: (client) => {
      espalier.setClient(client)
      if (client === null) delete window.espalier
      else window.espalier = client
    },
  })
  return { provide: { session } }
})
