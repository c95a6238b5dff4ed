/**
 * `/v1/shape`: the gateway behind Nitro. A browser that goes away ends the request to Electric as well, so that no long poll is
 * left open for nobody.
 */
import { getRequestHeaders, getRequestURL, sendWebResponse } from "h3"
import { demoOf } from "../../lib/DemoServer.ts"
import { sessionOf } from "../../lib/http/respond.ts"

export default defineEventHandler(async (event) => {
  // Clears a corrupt cookie; the gateway then answers 401 by itself.
  sessionOf(event)
  const gone = new AbortController()
  event.node.res.once("close", () => gone.abort())
  const headers = new Headers()
  for (const [name, value] of Object.entries(getRequestHeaders(event)))
    if (value !== undefined) headers.set(name, value)
  const request = new Request(getRequestURL(event), { method: event.method, headers, signal: gone.signal })
  try {
    await sendWebResponse(event, await demoOf(event).shapes(request))
  } catch (cause) {
    // Nobody is left to be told.
    if (!gone.signal.aborted) throw cause
  }
})
