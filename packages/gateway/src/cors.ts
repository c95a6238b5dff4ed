/**
 * Which pages of other origins may read answers. Exists because an app and its gateway often live on two origins, and a refusal without these
 * headers reaches the page as a network error instead of a status. Pure; called by the handler for every answer, refusals included.
 */
import { Wire } from "@espalier/engine/protocol"

/** Pages that may call from other origins. Without it only pages of the gateway's own origin can. */
export interface CorsOptions {
  /** Exact origins such as `https://app.example.com`, or `"*"` for any (never together with `credentials`). */
  readonly origins: ReadonlyArray<string> | "*"
  /** Cookies may be sent along. Default false. */
  readonly credentials?: boolean
  /** Request headers the page may set. Default `authorization`, `content-type`. */
  readonly requestHeaders?: ReadonlyArray<string>
  /** Seconds a browser may remember a preflight. Default 7,200, the longest that Chromium keeps. */
  readonly maxAgeSeconds?: number
}

/** Methods the gateway answers. */
export const allowedMethods = "GET, HEAD, OPTIONS"

/** Answer headers that a page's script reads: without them the official client cannot follow its shape. */
const exposed = [
  Wire.Header.handle,
  Wire.Header.offset,
  Wire.Header.schema,
  Wire.Header.cursor,
  Wire.Header.upToDate,
  Wire.Header.hasData,
  Wire.Header.snapshot,
  Wire.Header.internalKnownError,
  Wire.Header.etag,
  Wire.Header.retryAfter,
].join(", ")

/** What is wrong with the option, as the gateway's start says it. */
export const corsFaults = (cors: CorsOptions | undefined): ReadonlyArray<string> => {
  if (cors === undefined) return []
  const faults: Array<string> = []
  if (cors.origins === "*") {
    if (cors.credentials === true) faults.push('cors.credentials: needs origins by name, not "*"')
    return faults
  }
  for (const origin of cors.origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      faults.push(`cors.origins: ${JSON.stringify(origin)} is no origin; write scheme, host and port only`)
    }
  }
  return faults
}

const allowedOrigin = (cors: CorsOptions, origin: string | null): string | null => {
  if (origin === null) return null
  if (cors.origins === "*") return "*"
  return cors.origins.includes(origin) ? origin : null
}

/** Adds the headers that let (or do not let) the asking page read an answer. */
export const withCors = (cors: CorsOptions | undefined, request: Request, response: Response): Response => {
  if (cors === undefined) return response
  const { headers } = response
  headers.append("vary", "origin")
  const origin = allowedOrigin(cors, request.headers.get("origin"))
  if (origin === null) return response
  headers.set("access-control-allow-origin", origin)
  headers.set("access-control-expose-headers", exposed)
  if (cors.credentials === true) headers.set("access-control-allow-credentials", "true")
  return response
}

/** The answer to OPTIONS: nobody is asked, nothing is looked up. */
export const preflight = (cors: CorsOptions | undefined): Response => {
  const headers = new Headers({ allow: allowedMethods })
  if (cors !== undefined) {
    headers.set("access-control-allow-methods", allowedMethods)
    headers.set(
      "access-control-allow-headers",
      (cors.requestHeaders ?? ["authorization", "content-type"]).join(", "),
    )
    headers.set("access-control-max-age", String(cors.maxAgeSeconds ?? 7_200))
  }
  return new Response(null, { status: 204, headers })
}
