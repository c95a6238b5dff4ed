/**
 * `live_sse=true`: the log as server-sent events, what lies behind the offset already first, every batch closed by an
 * up-to-date (protocol reference §4.4). Unlike Electric's, a stream that began with such a batch stays open: the client
 * gives up on streams that close three times within a second. Clients come back with the
 * number of that message as their offset, so it is the log's marker, which no transaction has: nothing is sent twice.
 */
import { Header } from "@espalier/engine/wire"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import { upToDate } from "../shapes/messages.ts"
import { compareOffsets, formatOffset, type Offset } from "../shapes/offset.ts"
import { etagOf } from "../shapes/ShapeLog.ts"
import * as respond from "./respond.ts"
import { liveCursor, type Serving, sliceAfter, waitUntil } from "./serving.ts"

/** Where a stream stands. */
interface Position {
  readonly offset: Offset
  readonly isOpen: boolean
}

const encoder = new TextEncoder()

/** Opens the stream at once: headers leave with the first chunk, and an empty one is none for the client. */
const opening = ""

const keepAlive = ": keep-alive\n\n"

/** Answers with an event stream that starts behind `offset`. */
export const serveEvents = Effect.fnUntraced(function* (serving: Serving, offset: Offset) {
  const { options, exchange, request, shape } = serving
  yield* Effect.promise(() => options.engine.openStream(shape))
  const endsAt = (yield* Clock.currentTimeMillis) + options.sseTimeoutMillis
  const slice = yield* Effect.promise(() => sliceAfter(serving, offset))
  const body = Stream.unfold<Position, string, never, never>({ offset, isOpen: false }, (position) =>
    next(serving, position, endsAt),
  )
  const headers = {
    [Header.handle]: shape.handle,
    [Header.offset]: formatOffset(slice.offset),
    [Header.cacheControl]: `public, max-age=${Math.max(0, Math.floor(options.sseTimeoutMillis / 1000) - 1)}`,
    [Header.etag]: etagOf(shape.handle, offset, slice.offset),
    [Header.hasData]: "true",
    [Header.cursor]: (yield* liveCursor(options, request)) ?? "",
    ...(slice.isEnd ? { [Header.upToDate]: "" } : {}),
  }
  return respond.events(
    exchange,
    body.pipe(Stream.map((text) => encoder.encode(text))),
    headers,
  ) satisfies HttpServerResponse.HttpServerResponse
})

const next = Effect.fnUntraced(function* (serving: Serving, position: Position, endsAt: number) {
  const { options, shape } = serving
  const { isOpen } = position
  if (shape.isVoid || options.isClosing()) return undefined
  const slice = yield* Effect.promise(() => sliceAfter(serving, position.offset))
  // Behind the last chunk of a snapshot (`0_n`) the log begins at its end; waiting at `0_n` itself would never wait.
  const { offset } = slice
  if (slice.messages.length > 0) {
    const messages = slice.isEnd ? [...slice.messages, upToDate(shape.log.base.tx)] : slice.messages
    return [messages.map((json) => `data: ${json}\n\n`).join(""), { offset, isOpen: true }] as const
  }
  if (!isOpen) return [opening, { offset, isOpen: true }] as const
  const left = endsAt - (yield* Clock.currentTimeMillis)
  if (left <= 0) return undefined
  const hasMore = (): boolean => compareOffsets(shape.log.end, offset) > 0
  yield* waitUntil(serving, hasMore, Math.min(left, options.sseKeepAliveMillis))
  if (shape.isVoid || options.isClosing()) return undefined
  if (hasMore()) return ["", { offset, isOpen: true }] as const
  return [keepAlive, { offset, isOpen: true }] as const
})
