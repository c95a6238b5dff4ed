/** The gateway of a request, for the module's shape route (`espalier.gateway` in `nuxt.config.ts`). */
import type { Gateway } from "@espalier/gateway"
import type { H3Event } from "h3"
import { demoOf } from "./DemoServer.ts"
import { sessionOf } from "./http/respond.ts"

export default (event: H3Event): Gateway.Gateway => {
  // Clears a corrupt cookie; the gateway then answers 401 by itself.
  sessionOf(event)
  return demoOf(event).shapes
}
