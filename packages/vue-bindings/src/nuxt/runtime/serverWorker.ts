/**
 * Stands in for `@espalier/worker/client` in a server's build: there is no worker there, and PGlite's page half must not
 * weigh on it. Rendering never calls it; an app that does learns where it belongs.
 */

const browserOnly =
  "The engine runs in the browser: open it in a client plugin or in onMounted, not while rendering."

/** Always throws. */
export const createEngineClient = (): never => {
  const error = new Error(browserOnly)
  error.name = "HostFailed"
  throw error
}
