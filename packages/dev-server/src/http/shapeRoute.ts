/**
 * `GET /v1/shape`: finds or creates the shape and answers the part after the request's offset; live requests wait for it.
 * A client that goes away interrupts the waiting fiber, which takes its waiter with it.
 */
import { Header } from "@espalier/engine/wire"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import { isUnreachable, SqlFailure } from "../db/Database.ts"
import { beforeAll, compareOffsets, formatOffset, type Offset } from "../shapes/offset.ts"
import { upToDate } from "../shapes/messages.ts"
import type { Definition } from "../shapes/Definition.ts"
import type { Shape } from "../shapes/Shape.ts"
import { etagOf, type Slice } from "../shapes/ShapeLog.ts"
import { toBody } from "../shapes/SnapshotChunks.ts"
import { SubsetError, type SubsetRequest } from "../shapes/subset.ts"
import { DefinitionError } from "../where/WhereError.ts"
import * as respond from "./respond.ts"
import type { Exchange } from "./respond.ts"
import { growing } from "./growingBody.ts"
import {
  chunkAfter,
  isOutOfBounds,
  liveCursor,
  schemaHeader,
  type Serving,
  type ShapeRouteOptions,
  sliceAfter,
  waitForSnapshot,
  waitUntil,
} from "./serving.ts"
import { compactionParam, type ShapeRequest } from "./shapeRequest.ts"
import { serveEvents } from "./sseRoute.ts"

type Answer = HttpServerResponse.HttpServerResponse

/** Runs a promise of the engine; what it rejects with is the error. */
const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: run, catch: (error) => error })

/** Answers a well-formed request. */
export const serveShape = (
  options: ShapeRouteOptions,
  exchange: Exchange,
  request: ShapeRequest,
): Effect.Effect<Answer> =>
  Effect.gen(function* () {
    const { engine } = options
    yield* attempt(() => engine.settle())
    const definition = yield* attempt(() => engine.resolve(request.definition))
    if (request.wantsCompaction && definition.normalForm !== null) {
      const words = "can't be enabled for shapes with subqueries"
      return respond.invalid(exchange, { [compactionParam]: [words] })
    }
    const known = request.handle === null ? undefined : engine.find(request.handle)
    if (request.handle !== null && known?.definition.identity !== definition.identity) {
      const right = yield* attempt(() => engine.shapeFor(request.definition))
      return respond.mustRefetch(exchange, right.handle)
    }
    const shape = known ?? (yield* attempt(() => engine.shapeFor(request.definition)))
    shape.lastUsedAt = yield* Clock.currentTimeMillis
    const serving: Serving = { options, exchange, request, shape, schema: schemaHeader(definition) }
    const offset = request.subset === null && request.offset !== "now" ? request.offset : null
    const unready = yield* awaitSnapshot(serving, offset)
    if (unready !== null) return unready
    if (request.subset !== null) return yield* serveSubset(serving, definition, request.subset)
    if (request.offset === "now") return yield* serveNow(serving)
    const chunk = chunkAfter(serving, request.offset)
    if (chunk !== null && !request.isSse) return yield* serveChunk(serving, chunk)
    return yield* serveLog(serving, request.offset)
  }).pipe(Effect.catch((error) => failed(exchange, error)))

const failed = (exchange: Exchange, error: unknown): Effect.Effect<Answer> => {
  if (error instanceof SubsetError) {
    return Effect.succeed(respond.invalid(exchange, { subset: { [error.field]: error.said } }))
  }
  if (error instanceof DefinitionError) {
    return Effect.succeed(respond.invalid(exchange, { [error.field]: [error.message] }))
  }
  if (isUnreachable(error)) return Effect.succeed(respond.unreachable(exchange, error))
  if (error instanceof SqlFailure) {
    return Effect.succeed(
      respond.failure(exchange, 500, {
        message: `Unexpected error while creating snapshot: ${error.message}`,
      }),
    )
  }
  return Effect.logError("A request to /v1/shape failed", error).pipe(
    Effect.as(respond.failure(exchange, 500, { error: "Internal server error" })),
  )
}

/**
 * Waits while the part behind `offset` (`null`: the whole shape) is still being read from the table. Answers only where it
 * cannot be served.
 */
const awaitSnapshot = Effect.fnUntraced(function* (serving: Serving, offset: Offset | null) {
  const { exchange, options, request, shape } = serving
  const isReady = (): boolean =>
    shape.snapshot.isComplete || (offset !== null && !request.isSse && chunkAfter(serving, offset) !== null)
  yield* waitForSnapshot(serving, isReady)
  if (shape.isVoid) return respond.mustRefetch(exchange, null)
  if (isReady()) return null
  if (options.isClosing()) return closing(exchange)
  const message = "The snapshot of this shape is still being made"
  return respond.failure(
    exchange,
    503,
    { message },
    { [Header.retryAfter]: "1", [Header.internalKnownError]: "true" },
  )
})

/** Serves a chunk of the snapshot: whole when it is closed, as it grows while it is being made. */
const serveChunk = Effect.fnUntraced(function* (serving: Serving, chunk: number) {
  const { options, request, shape } = serving
  const { snapshot } = shape
  const isClosed = chunk < snapshot.closedCount
  const body = isClosed ? yield* attempt(() => snapshot.body(chunk)) : growing(serving, snapshot.open)
  const headers = yield* liveCursor(options, request)
  return serveBody(serving, body, { offset: { tx: 0, op: chunk }, isEnd: false, hasData: true }, headers)
})

const serveLog = Effect.fnUntraced(function* (serving: Serving, offset: Offset) {
  const { options, exchange, request, shape } = serving
  if (isOutOfBounds(serving, offset)) {
    yield* waitUntil(serving, () => !isOutOfBounds(serving, offset), options.longPollTimeoutMillis / 2)
    if (shape.isVoid) return respond.mustRefetch(exchange, null)
    if (isOutOfBounds(serving, offset)) {
      return options.isClosing()
        ? closing(exchange)
        : respond.invalid(exchange, { offset: ["out of bounds for this shape"] })
    }
  }
  if (shape.isVoid) return respond.mustRefetch(exchange, null)
  if (request.isSse) return yield* serveEvents(serving, offset)
  const slice = shape.log.after(offset)
  if (!request.isLive || slice.messages.length > 0 || !slice.isEnd) {
    return serveSlice(serving, slice, yield* liveCursor(options, request))
  }
  const end = shape.log.end
  const isSettled = () => compareOffsets(shape.log.end, end) > 0
  yield* waitUntil(serving, isSettled, options.longPollTimeoutMillis)
  if (shape.isVoid) return respond.mustRefetch(exchange, null)
  if (!isSettled() && options.isClosing()) return closing(exchange)
  const later = shape.log.after(offset)
  const unique = later.messages.length === 0 ? String(yield* Clock.currentTimeNanos) : undefined
  return serveSlice(serving, later, yield* liveCursor(options, request), unique)
})

const closing = (exchange: Exchange): Answer =>
  respond.failure(
    exchange,
    503,
    { message: "The development server is stopping" },
    { [Header.retryAfter]: "1", [Header.internalKnownError]: "true", connection: "close" },
  )

/** The offset is the one a log answer to this request would end with: the client goes on from it. */
const serveSubset = Effect.fnUntraced(function* (
  { options, exchange, request, shape, schema }: Serving,
  definition: Definition,
  subset: SubsetRequest,
) {
  const answer = yield* attempt(() => options.engine.readSubset(shape, definition, subset))
  if (answer === null) return respond.mustRefetch(exchange, null)
  const after = request.offset
  const offset =
    after === "now"
      ? shape.log.end
      : (yield* attempt(() => sliceAfter({ options, exchange, request, shape, schema }, after))).offset
  const metadata = { ...answer.visibility, snapshot_mark: answer.mark, database_lsn: String(answer.lsn) }
  return respond.json(exchange, 200, JSON.stringify({ metadata, data: answer.rows }), {
    ...shapeHeaders(shape, offset),
    [Header.cacheControl]: respond.cacheControl.subset,
    [Header.snapshot]: "true",
    [Header.schema]: schema,
  })
})

const serveNow = Effect.fnUntraced(function* ({ options, exchange, shape, schema }: Serving) {
  const unique = String(yield* Clock.currentTimeNanos)
  return respond.served(exchange, toBody([upToDate(options.engine.lastLsn)]), {
    ...shapeHeaders(shape, shape.log.end),
    [Header.cacheControl]: respond.cacheControl.catchUp,
    [Header.etag]: etagOf(shape.handle, "now", shape.log.end, unique),
    [Header.schema]: schema,
    [Header.upToDate]: "",
    [Header.hasData]: "false",
  })
})

const shapeHeaders = (shape: Shape, offset: Offset): Record<string, string> => ({
  [Header.handle]: shape.handle,
  [Header.offset]: formatOffset(offset),
})

const serveSlice = (
  serving: Serving,
  slice: Slice,
  cursor: string | null = null,
  unique?: string,
): Answer => {
  const messages = slice.isEnd
    ? [...slice.messages, upToDate(serving.options.engine.lastLsn)]
    : slice.messages
  const { offset, isEnd } = slice
  return serveBody(
    serving,
    toBody(messages),
    { offset, isEnd, hasData: unique === undefined },
    cursor,
    unique,
  )
}

/** Where a body ends. */
interface BodyEnd {
  readonly offset: Offset
  readonly isEnd: boolean
  readonly hasData: boolean
}

const serveBody = (
  { exchange, request, shape, schema }: Serving,
  body: respond.Body,
  { offset, isEnd, hasData }: BodyEnd,
  cursor: string | null,
  unique?: string,
): Answer => {
  const requested = request.offset === "now" || request.offset.tx < 0 ? beforeAll : request.offset
  const cache = requested.tx < 0 ? "start" : request.isLive ? "live" : "catchUp"
  return respond.served(exchange, body, {
    ...shapeHeaders(shape, offset),
    [Header.cacheControl]: respond.cacheControl[cache],
    [Header.etag]: etagOf(shape.handle, requested, offset, unique),
    [Header.hasData]: String(hasData),
    ...(request.isLive ? {} : { [Header.schema]: schema }),
    ...(isEnd ? { [Header.upToDate]: "" } : {}),
    ...(cursor === null ? {} : { [Header.cursor]: cursor }),
  })
}
