/** Nobody signs in here: one database for whoever looks. Hands the client to the console and the tests as `espalier`. */
import type { EngineClient } from "@espalier/worker"

declare global {
  interface Window {
    espalier?: EngineClient
  }
}

export default defineNuxtPlugin(() => {
  window.espalier = useEngine().open({ name: "playground" })
})
