/**
 * Asks Electric for what was allowed, and turns every way that can fail into a refusal. The client's abort, the end of its right and the time
 * limit reach the shape server at once. Called by the handler only.
 */
import { Wire } from "@espalier/engine/protocol"
import { isRefusal, type Refusal, refusal } from "./authorize.ts"
import { errorDown, streamDown, upstreamRefusal } from "./forward.ts"

const { GatewayCode } = Wire

/** What asking needs. */
export interface UpstreamContext {
  readonly fetch: typeof globalThis.fetch
  readonly timeoutMillis: number
  readonly secret: string | undefined
  readonly onFault: (cause: unknown) => void
}

/** W3C trace context: the only headers of the client, besides `accept`, that the shape server sees. */
const traceHeaders: Readonly<Record<string, RegExp>> = {
  traceparent: /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/,
  tracestate: /^[\x20-\x7e]{1,512}$/,
}

const headersUp = (request: Request): Record<string, string> => {
  const headers: Record<string, string> = { accept: request.headers.get("accept") ?? "*/*" }
  for (const [name, form] of Object.entries(traceHeaders)) {
    const value = request.headers.get(name)
    if (value !== null && form.test(value)) headers[name] = value
  }
  return headers
}

/** The answer's headers, or why there are none. `ended` aborts with the refusal that ends the request. */
const headersOf = async (
  context: UpstreamContext,
  request: Request,
  url: URL,
  ended: AbortSignal,
): Promise<Response | Refusal> => {
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(), context.timeoutMillis)
  try {
    return await context.fetch(url, {
      method: request.method,
      headers: headersUp(request),
      redirect: "manual",
      signal: AbortSignal.any([request.signal, ended, timeout.signal]),
    })
  } catch (cause) {
    if (isRefusal(ended.reason)) return ended.reason
    if (!request.signal.aborted) context.onFault(cause)
    if (timeout.signal.aborted) {
      const message = `the shape server gave no answer within ${context.timeoutMillis} ms`
      return refusal(504, GatewayCode.upstreamTimeout, message)
    }
    return refusal(502, GatewayCode.upstreamUnreachable, "the shape server cannot be reached")
  } finally {
    clearTimeout(timer)
  }
}

/** The shape server's answer as the client may have it. */
export const askUpstream = async (
  context: UpstreamContext,
  request: Request,
  url: URL,
  ended: AbortSignal,
): Promise<Response | Refusal> => {
  const upstream = await headersOf(context, request, url, ended)
  if (isRefusal(upstream)) return upstream
  const misconfigured = upstreamRefusal(upstream.status)
  if (misconfigured !== null) {
    context.onFault(new Error(`status ${upstream.status}`))
    await upstream.body?.cancel()
    return misconfigured
  }
  const failed = upstream.status >= 400 && upstream.status !== 409
  return failed ? errorDown(upstream, context.secret) : streamDown(upstream)
}
