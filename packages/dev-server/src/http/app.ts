/**
 * The HTTP face of a dev-server: routes, secret, methods. Shape requests go to `shapeRoute.ts`, SQL to `sqlRoute.ts`,
 * faults to `faultRoute.ts`.
 */
import { Header, Param } from "@espalier/engine/wire"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Database } from "../db/Database.ts"
import { DefinitionError } from "../where/WhereError.ts"
import type { Faults } from "../faults/Faults.ts"
import { serveFaults } from "./faultRoute.ts"
import { serveUnderFaults } from "./faulty.ts"
import { type Query, parseQuery } from "./query.ts"
import * as respond from "./respond.ts"
import type { Exchange } from "./respond.ts"
import { type FieldErrors, readShapeRequest } from "./shapeRequest.ts"
import type { ShapeRouteOptions } from "./serving.ts"
import { serveShape } from "./shapeRoute.ts"
import { serveSql } from "./sqlRoute.ts"
import { type BodyReading, subsetOfBody, subsetOfQuery } from "./subsetRequest.ts"

/** What the app works with. */
export interface AppOptions extends ShapeRouteOptions {
  readonly db: Database
  /** Every `/v1/shape` call but OPTIONS must carry it when set. */
  readonly secret: string | null
  /** `/sql` is off without it. */
  readonly sqlToken: string | null
  readonly allowDelete: boolean
  readonly faults: Faults
  /** `/faults` is off without it. */
  readonly faultToken: string | null
}

type Answer = HttpServerResponse.HttpServerResponse

/** The whole application. */
export const makeApp = (
  options: AppOptions,
): Effect.Effect<Answer, never, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const [path = "/", search = ""] = splitOnce(request.url, "?")
    const route = normalise(path)
    const exchange: Exchange = {
      method: request.method,
      origin: request.headers["origin"],
      ifNoneMatch: request.headers["if-none-match"],
    }
    if (route === "/sql") {
      return options.sqlToken === null
        ? respond.notFound(exchange)
        : yield* serveSql(options.db, options.sqlToken, request)
    }
    if (route === "/faults") {
      return options.faultToken === null
        ? respond.notFound(exchange)
        : yield* serveFaults(options.faults, options.faultToken, parseQuery(search), request)
    }
    const isRead = request.method === "GET" || request.method === "HEAD"
    if (route === "/" && isRead) return respond.root(exchange)
    if (route === "/v1/health" && isRead) return respond.health(exchange)
    if (route !== "/v1/shape") return respond.notFound(exchange)
    // The HTTP server runs handlers uninterruptibly unless told otherwise; a client that goes away must end its wait.
    const query = parseQuery(search)
    const serve = serveShapePath(options, exchange, query, request)
    const { engine, faults } = options
    const rotate = async (handle: string): Promise<void> => {
      const shape = engine.find(handle)
      if (shape !== undefined) await engine.rotate(shape)
    }
    return yield* Effect.interruptible(serveUnderFaults({ faults, exchange, query, request, rotate }, serve))
  })

const splitOnce = (text: string, separator: string): readonly [string, string] => {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)]
}

/** Trailing, doubled and percent-encoded spellings are the same route, and so meet the same secret check. */
const normalise = (path: string): string => {
  const parts = path
    .split("/")
    .map(decode)
    .filter((part) => part !== "")
  return `/${parts.join("/")}`
}

const decode = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    // A path that does not decode names no route of ours.
    return part
  }
}

const serveShapePath = (
  options: AppOptions,
  exchange: Exchange,
  query: Query,
  request: HttpServerRequest.HttpServerRequest,
): Effect.Effect<Answer> => {
  if (exchange.method === "OPTIONS") return Effect.succeed(respond.preflight(exchange))
  if (!["GET", "HEAD", "POST", "DELETE"].includes(exchange.method))
    return Effect.succeed(respond.notFound(exchange))
  if (options.secret !== null && (query.get(Param.secret) ?? query.get(Param.apiSecret)) !== options.secret) {
    const message = "Unauthorized - Invalid API secret"
    return Effect.succeed(
      respond.failure(exchange, 401, { message }, { "cache-control": respond.cacheControl.other }),
    )
  }
  if (exchange.method === "DELETE") return deleteShape(options, exchange, query)
  return serveRequest(options, exchange, query, request)
}

/** Serves GET, HEAD and POST; the body of a POST may only add a subset. */
const serveRequest = Effect.fnUntraced(function* (
  options: AppOptions,
  exchange: Exchange,
  query: Query,
  request: HttpServerRequest.HttpServerRequest,
) {
  const body: BodyReading | null = exchange.method === "POST" ? yield* readBody(request) : {}
  if (body === null) return respond.failure(exchange, 413, { error: "Request body is too large" })
  if (body.error !== undefined) return respond.failure(exchange, 400, { error: body.error })
  if (body.refused !== undefined) {
    const refused = body.refused.map((key) => [key, ["is not allowed in the body"]])
    return respond.invalid(exchange, Object.fromEntries(refused) as FieldErrors)
  }
  if (body.isInvalid === true) return respond.invalid(exchange, { subset: ["is invalid"] })
  const reading = readShapeRequest(query, body.subset ?? subsetOfQuery(query))
  return reading.request === undefined
    ? respond.invalid(exchange, reading.errors)
    : yield* serveShape(options, exchange, reading.request)
})

/** As much as Electric's reader takes; a subset needs a thousandth of it. */
const maxBody = ByteSize.megabytes(8)

/** `null` for a body that is too large or cut off. */
const readBody = (request: HttpServerRequest.HttpServerRequest) =>
  request.text.pipe(
    Effect.map(subsetOfBody),
    Effect.provideService(HttpServerRequest.MaxBodySize, maxBody),
    Effect.catch(() => Effect.succeed(null)),
  )

const deleteShape = (options: AppOptions, exchange: Exchange, query: Query): Effect.Effect<Answer> =>
  Effect.gen(function* () {
    const { engine } = options
    if (!options.allowDelete) {
      return respond.failure(exchange, 405, {
        message: "DELETE not allowed. Start the server with --allow-delete.",
      })
    }
    const handle = query.get(Param.handle)
    const byHandle = typeof handle === "string" && handle !== "" ? engine.find(handle) : undefined
    const withOffset = new Map([...query, [Param.offset, "-1"]])
    const reading = query.has(Param.table) ? readShapeRequest(withOffset) : null
    if (reading?.errors !== undefined) return respond.invalid(exchange, reading.errors)
    const definition =
      reading === null
        ? null
        : yield* Effect.tryPromise({
            try: () => engine.resolve(reading.request.definition),
            catch: (error) => error,
          })
    const shape = byHandle ?? (definition === null ? undefined : engine.existing(definition))
    if (shape === undefined) return respond.failure(exchange, 404, { message: "No existing shape found" })
    if (definition !== null && shape.definition.identity !== definition.identity) {
      return respond.failure(exchange, 400, { message: "Handle and shape definition do not match" })
    }
    yield* Effect.tryPromise({ try: () => engine.rotate(shape), catch: (error) => error })
    return respond.json(exchange, 202, "", { [Header.hasData]: "true" })
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed(
        error instanceof DefinitionError
          ? respond.invalid(exchange, { [error.field]: [error.message] })
          : respond.failure(exchange, 500, { error: "Internal server error" }),
      ),
    ),
  )
