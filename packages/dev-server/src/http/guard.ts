/**
 * The door of the endpoints that are no part of Electric's protocol: loopback `Host` only, a token, no CORS. A foreign page in
 * a browser passes none of the three.
 */
import { timingSafeEqual } from "node:crypto"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/** Header that carries the token. */
export const tokenHeader = "x-espalier-dev"

type Answer = HttpServerResponse.HttpServerResponse

/** An answer without CORS headers. */
export const answer = (status: number, body: unknown): Answer =>
  HttpServerResponse.text(JSON.stringify(body), {
    status,
    contentType: "application/json; charset=utf-8",
    headers: { "cache-control": "no-store" },
  })

/** An error. */
export const refused = (status: number, code: string, message: string): Answer =>
  answer(status, { code, message })

/** Whether a `Host` header names this machine; guards against a foreign page that resolves to it. */
export const isLoopbackHost = (host: string | undefined): boolean =>
  host !== undefined && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/iu.test(host)

const isToken = (given: string | undefined, token: string): boolean => {
  const [a, b] = [Buffer.from(given ?? ""), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** The refusal of a request that may not come in; `null` for one that may. */
export const refusal = (
  request: HttpServerRequest.HttpServerRequest,
  token: string,
  methods: ReadonlyArray<string>,
): Answer | null => {
  if (!isLoopbackHost(request.headers["host"])) {
    return refused(403, "forbidden_host", "Only for this machine")
  }
  if (!isToken(request.headers[tokenHeader], token)) {
    return refused(401, "unauthorized", `Header ${tokenHeader} is missing or wrong`)
  }
  if (!methods.includes(request.method)) {
    return refused(405, "method_not_allowed", `Use ${methods.join(", ")}`)
  }
  return null
}
