/**
 * Mounts a gateway on a Node HTTP server (`node:http`, `node:https`, `node:http2` in compatibility mode, Express, Connect). A client that goes
 * away ends the request to the shape server as well; a slow client slows the shape server down instead of filling memory.
 */
import { once } from "node:events"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Wire } from "@espalier/engine/protocol"

/** What a handler may know beyond the request itself. */
export interface NodeHandlerOptions {
  /**
   * The origin that requests are for, such as `https://app.example.com`. Only the app's own functions see it. Default `http://localhost`: the `Host`
   * header is the client's word and is not believed.
   */
  readonly origin?: string
}

/** Answers one request. Never rejects. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** A web-standard request of a Node one, without its body: a gateway reads none. `gone` aborts when the connection closes early. */
export const toRequest = (request: IncomingMessage, origin: string, gone: AbortSignal): Request => {
  const headers = new Headers()
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? ""
    // HTTP/2's pseudo headers are not headers.
    if (!name.startsWith(":")) headers.append(name, request.rawHeaders[i + 1] ?? "")
  }
  // Only the path and query are the client's: an absolute-form target cannot name another origin.
  const target = request.url ?? "/"
  const path = target.startsWith("/")
    ? target
    : new URL(target, origin).href.slice(new URL(target, origin).origin.length)
  return new Request(`${new URL(origin).origin}${path}`, {
    method: request.method ?? "GET",
    headers,
    signal: gone,
  })
}

/** Writes a web-standard response, as fast as the client reads. */
export const sendResponse = async (
  answer: Response,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> => {
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  if (answer.body === null) {
    response.end()
    return
  }
  // The client learns at once that the answer has begun, also when its first event is far away.
  response.flushHeaders()
  const reader = answer.body.getReader()
  const cancel = (): void => void reader.cancel().catch(() => undefined)
  gone.addEventListener("abort", cancel, { once: true })
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (!response.write(chunk.value)) await once(response, "drain", { signal: gone })
    }
    response.end()
  } catch {
    // Broken above or below: the client must see a broken body, never a short one that looks whole.
    response.destroy()
  } finally {
    gone.removeEventListener("abort", cancel)
    cancel()
  }
}

/** A listener for `http.createServer`, or a middleware for servers that route. */
export const nodeHandler = (
  gateway: (request: Request) => Promise<Response>,
  options: NodeHandlerOptions = {},
): NodeHandler => {
  const origin = options.origin ?? "http://localhost"
  return async (request, response) => {
    const gone = new AbortController()
    const left = (): void => {
      if (!response.writableFinished) gone.abort()
    }
    response.once("close", left)
    const asked = readable(request, origin, gone.signal)
    if (asked === null) {
      response.writeHead(400, { "content-type": "application/json", "cache-control": "no-store" })
      response.end(
        JSON.stringify({
          code: Wire.GatewayCode.badRequest,
          message: "the request's method, target or headers cannot be read",
        }),
      )
      return
    }
    const answer = await gateway(asked)
    if (!gone.signal.aborted) await sendResponse(answer, response, gone.signal)
    else await answer.body?.cancel().catch(() => undefined)
  }
}

/** Null for what Node's parser lets through and the web's standards do not (method TRACE, a target that is no URL). */
const readable = (request: IncomingMessage, origin: string, gone: AbortSignal): Request | null => {
  try {
    return toRequest(request, origin, gone)
  } catch {
    return null
  }
}
