/**
 * What long polls and event streams share: waiting on a shape, bounds of offsets, cursor and schema header. Exists so that
 * the two routes cannot differ in them.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Definition } from "../shapes/Definition.ts"
import { compareOffsets, type Offset } from "../shapes/offset.ts"
import type { Shape } from "../shapes/Shape.ts"
import type { ShapeEngine } from "../shapes/ShapeEngine.ts"
import type { Slice } from "../shapes/ShapeLog.ts"
import { messagesOf } from "../shapes/SnapshotChunks.ts"
import type { Exchange } from "./respond.ts"
import type { ShapeRequest } from "./shapeRequest.ts"

/** What the route works with. */
export interface ShapeRouteOptions {
  readonly engine: ShapeEngine
  readonly longPollTimeoutMillis: number
  /** How long an event stream is held open. */
  readonly sseTimeoutMillis: number
  /** Silence after which an event stream says that it is alive. */
  readonly sseKeepAliveMillis: number
  /** True once the server is stopping. */
  readonly isClosing: () => boolean
}

/** One request under way. `schema` is the header's value as the table is now; a shape may outlive a dropped NOT NULL. */
export interface Serving {
  readonly options: ShapeRouteOptions
  readonly exchange: Exchange
  readonly request: ShapeRequest
  readonly shape: Shape
  readonly schema: string
}

/**
 * Offsets of the snapshot (`0_n`) are never out of bounds: past the last chunk they mean "caught up" (§14.1). Behind the
 * end of the log, a number given out since the handle was made is fine: clients of event streams come back with the
 * number of their last marker (§4.4).
 */
export const isOutOfBounds = ({ options, shape }: Serving, offset: Offset): boolean => {
  if (offset.tx === 0 || compareOffsets(offset, shape.log.end) <= 0) return false
  return offset.tx < shape.bornAt || offset.tx > options.engine.lastNumber
}

/** Waits until `isDone`, the shape is void, the server stops, or the time is over. */
export const waitUntil = (
  { options, shape }: Serving,
  isDone: () => boolean,
  millis: number,
): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (isDone() || shape.isVoid || options.isClosing()) {
      resume(Effect.void)
      return
    }
    const waiter = (): void => resume(Effect.void)
    shape.waiters.add(waiter)
    return Effect.sync(() => shape.waiters.delete(waiter))
  }).pipe(Effect.timeoutOption(millis), Effect.asVoid)

/** Waits until the snapshot is complete, the shape is void, the server stops, or the time of a long poll is over. */
export const waitForSnapshot = (serving: Serving, isEnough: () => boolean): Effect.Effect<void> => {
  const { options, shape } = serving
  const isDone = (): boolean => isEnough() || shape.isVoid || options.isClosing()
  return Effect.callback<void>((resume) => {
    if (isDone()) {
      resume(Effect.void)
      return
    }
    const stop = shape.snapshot.watch(() => {
      if (isDone()) resume(Effect.void)
    })
    return Effect.sync(stop)
  }).pipe(Effect.timeoutOption(options.longPollTimeoutMillis), Effect.asVoid)
}

/** The snapshot chunk a request at `offset` asks for; `null` where it asks for the log. */
export const chunkAfter = ({ shape }: Serving, offset: Offset): number | null => {
  const next = offset.tx < 0 ? 0 : offset.tx === 0 ? offset.op + 1 : Number.POSITIVE_INFINITY
  const { closedCount, isComplete } = shape.snapshot
  return next < closedCount || (next === closedCount && !isComplete) ? next : null
}

/** What lies behind an offset of a shape with a complete snapshot. */
export const sliceAfter = async (serving: Serving, offset: Offset): Promise<Slice> => {
  const { log, snapshot } = serving.shape
  const chunk = chunkAfter(serving, offset)
  if (chunk === null) return log.after(offset)
  const body = await snapshot.body(chunk)
  const messages = messagesOf(typeof body === "string" ? body : Buffer.from(body).toString())
  return { messages, offset: { tx: 0, op: chunk }, isEnd: false }
}

/** Header values are Latin-1; other characters of names go as JSON escapes. */
export const schemaHeader = (definition: Definition): string =>
  JSON.stringify(
    Object.fromEntries(definition.columns.map((column) => [column.name, column.header])),
  ).replaceAll(/[\u007f-\uffff]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** Seconds between 1970 and 2024-10-09, where Electric's cursors begin. */
const cursorEpochSeconds = 1_728_432_000

/** The next cursor: the time in steps of the long-poll timeout, always above the client's (protocol reference §2.1). */
export const liveCursor = Effect.fnUntraced(function* (options: ShapeRouteOptions, request: ShapeRequest) {
  if (!request.isLive) return null
  const seconds = (yield* Clock.currentTimeMillis) / 1000 - cursorEpochSeconds
  const step = Math.max(1, options.longPollTimeoutMillis / 1000)
  const next = Math.ceil(seconds / step) * step
  const given = Number(request.cursor ?? "0")
  if (!Number.isSafeInteger(given) || Math.floor(next) > given) return String(Math.floor(next))
  return String(given + (yield* Random.nextIntBetween(1, 3600)))
})
