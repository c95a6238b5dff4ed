/**
 * `/v1/shape`: the gateway behind Nitro. A browser that goes away ends the request to Electric as well, so that no long poll is
 * left open for nobody.
 */
import { h3Handler } from "@espalier/gateway/h3"
import { demoOf } from "../../lib/DemoServer.ts"
import { sessionOf } from "../../lib/http/respond.ts"

export default defineEventHandler((event) => {
  // Clears a corrupt cookie; the gateway then answers 401 by itself.
  sessionOf(event)
  return h3Handler(demoOf(event).shapes)(event)
})
