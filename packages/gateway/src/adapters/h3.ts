/**
 * Mounts a gateway in h3, the server of Nitro and Nuxt: `export default h3Handler(gateway)` in `server/routes/v1/shape.ts`. Works with h3 1 (Node's
 * request and response) and h3 2 (web standard) by shape, so that neither is a dependency.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { nodeHandler, type NodeHandlerOptions } from "./node.ts"

/** What is used of an h3 1 event. */
export interface H3NodeEvent {
  readonly node: { readonly req: IncomingMessage; readonly res: ServerResponse }
}

/** What is used of an h3 2 event. */
export interface H3WebEvent {
  readonly req: Request
}

/** An event handler; wrap it in `defineEventHandler` where the framework asks for it. */
export const h3Handler = (
  gateway: (request: Request) => Promise<Response>,
  options: NodeHandlerOptions = {},
): ((event: H3NodeEvent | H3WebEvent) => Promise<Response | undefined>) => {
  const onNode = nodeHandler(gateway, options)
  return async (event) => {
    if (!("node" in event) || event.node === undefined) return gateway((event as H3WebEvent).req)
    await onNode(event.node.req, event.node.res)
    return undefined
  }
}
