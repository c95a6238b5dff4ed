/**
 * Builds the answers of the shape API: CORS on every one (also on errors, where Electric leaves it out), cache-control by
 * kind, and the error bodies. The only place that spells these headers.
 */
import { Header } from "@espalier/engine/wire"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Stream from "effect/Stream"
import { mustRefetchBody } from "../shapes/messages.ts"
import type { FieldErrors } from "./shapeRequest.ts"

/** What every answer depends on. */
export interface Exchange {
  readonly method: string
  readonly origin: string | undefined
  readonly ifNoneMatch: string | undefined
}

/** Named so that nobody takes this server for the real one. */
export const serverName = "EspalierDevServer/0.1.0"

const exposedHeaders = [
  Header.cursor,
  Header.handle,
  Header.hasData,
  Header.offset,
  Header.schema,
  Header.upToDate,
  Header.internalKnownError,
  Header.snapshot,
  Header.retryAfter,
].join(",")

/** Headers of every answer. */
const common = (exchange: Exchange): Record<string, string> => ({
  [Header.server]: serverName,
  "access-control-allow-origin": exchange.origin ?? "*",
  "access-control-expose-headers": exposedHeaders,
  "access-control-allow-methods": "GET, POST, HEAD, DELETE, OPTIONS",
  vary: "accept-encoding, origin",
})

/** `cache-control` values (protocol reference §2.1). */
export const cacheControl = {
  start: "public, max-age=604800, s-maxage=3600, stale-while-revalidate=2629746",
  catchUp: "public, max-age=60, stale-while-revalidate=300",
  live: "public, max-age=5, stale-while-revalidate=5",
  subset: "no-cache",
  none: "no-store",
  health: "no-cache, no-store, must-revalidate",
  /** Of answers that are not the shape API's own. */
  other: "max-age=0, private, must-revalidate",
} as const

const jsonType = "application/json; charset=utf-8"

/** A JSON text: whole, encoded, or as it is made. */
export type Body = string | Uint8Array | Stream.Stream<Uint8Array, unknown>

/** An answer with a JSON text body. */
export const json = (
  exchange: Exchange,
  status: number,
  body: Body,
  headers: Record<string, string>,
): HttpServerResponse.HttpServerResponse => {
  const isCacheable = exchange.method === "GET" || exchange.method === "HEAD"
  const surrogate = isCacheable && headers[Header.cacheControl] === cacheControl.none
  const options = {
    status,
    contentType: jsonType,
    headers: {
      ...common(exchange),
      ...headers,
      ...(isCacheable ? {} : { [Header.cacheControl]: "no-cache" }),
      ...(surrogate ? { "surrogate-control": "no-store" } : {}),
    },
  }
  if (typeof body === "string") return HttpServerResponse.text(body, options)
  if (body instanceof Uint8Array) return HttpServerResponse.uint8Array(body, options)
  return HttpServerResponse.stream(body, options)
}

const errorHeaders = { [Header.cacheControl]: cacheControl.none }

/** 400 with `errors` by field. */
export const invalid = (exchange: Exchange, errors: FieldErrors): HttpServerResponse.HttpServerResponse =>
  json(exchange, 400, JSON.stringify({ message: "Invalid request", errors }), errorHeaders)

/** Any other error. */
export const failure = (
  exchange: Exchange,
  status: number,
  body: Readonly<Record<string, unknown>>,
  headers: Record<string, string> = {},
): HttpServerResponse.HttpServerResponse =>
  json(exchange, status, JSON.stringify(body), { ...errorHeaders, ...headers })

/** 503: Postgres cannot be reached. Clients try again by themselves. */
export const unreachable = (exchange: Exchange, error: Error): HttpServerResponse.HttpServerResponse =>
  failure(
    exchange,
    503,
    { code: "database_unreachable", error: error.message },
    { [Header.retryAfter]: "10", [Header.internalKnownError]: "true" },
  )

/** 409: the handle is void. `handle` names the one to use instead, where it is known. */
export const mustRefetch = (
  exchange: Exchange,
  handle: string | null,
): HttpServerResponse.HttpServerResponse =>
  json(exchange, 409, mustRefetchBody, {
    [Header.cacheControl]: `public, max-age=${handle === null ? 1 : 60}, must-revalidate`,
    ...(handle === null ? {} : { [Header.handle]: handle, [Header.etag]: `"${handle}::"` }),
  })

/** The tags of `if-none-match`, as they are: `*` and weak ones match nothing (protocol reference §14.1). */
const tagsIn = (header: string | undefined): ReadonlyArray<string | undefined> =>
  (header ?? "").split(",").map((tag) => tag.trim())

/** 200, or 304 when the client has it already. */
export const served = (
  exchange: Exchange,
  body: Body,
  headers: Record<string, string>,
): HttpServerResponse.HttpServerResponse =>
  headers[Header.etag] !== undefined && tagsIn(exchange.ifNoneMatch).includes(headers[Header.etag])
    ? notModified(exchange, headers)
    : json(exchange, 200, body, headers)

const notModified = (
  exchange: Exchange,
  headers: Record<string, string>,
): HttpServerResponse.HttpServerResponse => {
  const { [Header.schema]: _, ...kept } = headers
  return HttpServerResponse.empty({
    status: 304,
    headers: { ...common(exchange), ...kept, "content-type": jsonType },
  })
}

/** A stream of server-sent events. */
export const events = (
  exchange: Exchange,
  body: Stream.Stream<Uint8Array>,
  headers: Record<string, string>,
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(body, {
    contentType: "text/event-stream",
    headers: { ...common(exchange), ...headers },
  })

/** Routes other than the shape's are read only. */
const readOnly = { "access-control-allow-methods": "GET, HEAD" }

/** An answer without a body. */
export const empty = (
  exchange: Exchange,
  status: number,
  headers: Record<string, string> = {},
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.empty({ status, headers: { ...common(exchange), ...headers } })

/** The answer of the root. */
export const root = (exchange: Exchange): HttpServerResponse.HttpServerResponse =>
  empty(exchange, 200, { ...readOnly, [Header.cacheControl]: cacheControl.other })

/** The answer to a question whether the server is alive. */
export const health = (exchange: Exchange): HttpServerResponse.HttpServerResponse =>
  json(exchange, 200, JSON.stringify({ status: "active" }), {
    ...readOnly,
    [Header.cacheControl]: cacheControl.health,
  })

/** The answer to a preflight. Unlike Electric's it allows what browsers send (checklist 49). */
export const preflight = (exchange: Exchange): HttpServerResponse.HttpServerResponse =>
  empty(exchange, 204, {
    "access-control-allow-headers": "authorization, content-type, if-none-match, traceparent",
    "access-control-max-age": "86400",
  })

/** 404 of unknown paths. */
export const notFound = (exchange: Exchange): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text("Not found", {
    status: 404,
    headers: { ...common(exchange), ...readOnly, [Header.cacheControl]: cacheControl.other },
  })
