/**
 * One real HTTP request, from the slot to the last byte of the body. Exists so that the official client never meets a failure: its
 * own fetch layer would retry 429, 5xx and network errors for ever and in silence (protocol reference §4.6). This module neither retries
 * nor reads messages; it answers with status, headers and body, or fails with a reason. Called by the stream module only.
 *
 * Cut polls are the one thing repeated here: the same address is asked again once a slot is free, and the client never notices.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { ProtocolViolation, Network, type ShapeErrorReason } from "../../protocol/ShapeError.ts"
import { classifyFailure } from "./classify.ts"
import { slotCut, type ConnectionSlots, type Lane, type Slot, type SlotCut } from "./ConnectionSlots.ts"

/** A whole answer. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
  /** From sending the request to the last byte. */
  readonly elapsedMillis: number
}

/** What requests need besides their address. */
export interface RequestContext {
  readonly fetch: typeof globalThis.fetch
  /** Asked for each request anew, so that a refreshed token is used at once. */
  readonly headers: Effect.Effect<Readonly<Record<string, string>>, ShapeErrorReason>
  readonly slots: ConnectionSlots["Service"]
  /** A request without response headers is cut after this long. */
  readonly requestTimeoutMillis: number
  /** A body is cut when no byte of it comes for this long; a large grant may take its time (protocol reference §13.9). */
  readonly bodyIdleMillis: number
  /** Called when a request is sent. */
  readonly onRequest: () => void
}

/** Redirects followed in one request. */
export const maxRedirects = 5

/** Asks `url` once a slot is free; a cut poll waits for its next turn and asks again. */
export const askInSlot = (
  context: RequestContext,
  lane: Lane,
  url: URL,
  live: boolean,
): Effect.Effect<Answer, ShapeErrorReason> =>
  Effect.catchTag(
    context.slots.withSlot(lane, live, (slot) => ask(context, slot, url)),
    "SlotCut",
    () => askInSlot(context, lane, url, live),
  )

const ask = (
  context: RequestContext,
  slot: Slot,
  url: URL,
): Effect.Effect<Answer, ShapeErrorReason | SlotCut> =>
  Effect.gen(function* () {
    const headers = yield* Effect.timeoutOrElse(context.headers, {
      duration: context.requestTimeoutMillis,
      orElse: () =>
        Effect.fail(new Network({ message: `no credentials within ${context.requestTimeoutMillis} ms` })),
    })
    if (slot.isCut()) return yield* Effect.fail(slotCut)
    context.onRequest()
    const sentAt = yield* Clock.currentTimeMillis
    const exchange = Effect.flatMap(openResponse(context, slot, { url, headers, hops: 0 }), (response) =>
      readAnswer(context, slot, response, sentAt),
    )
    // Interruption, a timeout or a refused answer must close the socket, not only stop waiting for it.
    return yield* Effect.onExit(exchange, (exit) =>
      Effect.sync(() => {
        if (exit._tag === "Failure") slot.abort()
      }),
    )
  })

interface Hop {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly hops: number
}

/** Waits for response headers, following redirects within the origin. */
const openResponse = (
  context: RequestContext,
  slot: Slot,
  hop: Hop,
  init: RequestInit = { redirect: "manual" },
): Effect.Effect<Response, ShapeErrorReason | SlotCut> =>
  Effect.tryPromise({
    try: () =>
      context
        .fetch(hop.url.href, { ...init, headers: hop.headers, signal: slot.signal })
        .then(noteAnswer(slot)),
    catch: (cause) => (slot.isCut() ? slotCut : classifyFailure(cause)),
  }).pipe(
    Effect.timeoutOrElse({
      duration: context.requestTimeoutMillis,
      orElse: () =>
        Effect.fail(new Network({ message: `no answer within ${context.requestTimeoutMillis} ms` })),
    }),
    Effect.flatMap((response) => followRedirect(context, slot, hop, response)),
  )

/** Before anything else sees the response: an answered request must not be cut any more. */
const noteAnswer =
  (slot: Slot) =>
  (response: Response): Response => {
    slot.answered()
    return response
  }

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Credentials go with the request, so it follows only within its origin. A browser shows no location; there the redirect is
 * followed only where the browser itself can be told to stay in the origin.
 */
const followRedirect = (
  context: RequestContext,
  slot: Slot,
  hop: Hop,
  response: Response,
): Effect.Effect<Response, ShapeErrorReason | SlotCut> => {
  if (response.type === "opaqueredirect") {
    return hop.url.origin === globalThis.location?.origin
      ? openResponse(context, slot, hop, { redirect: "follow", mode: "same-origin" })
      : Effect.fail(new ProtocolViolation({ message: "the server redirects across origins" }))
  }
  if (!redirectStatuses.has(response.status)) return Effect.succeed(response)
  const location = response.headers.get("location")
  const target = location === null || !URL.canParse(location, hop.url) ? null : new URL(location, hop.url)
  if (target === null || target.origin !== hop.url.origin) {
    return Effect.fail(
      new ProtocolViolation({ message: `the server redirects to ${target?.origin ?? "nowhere"}` }),
    )
  }
  if (hop.hops >= maxRedirects) {
    return Effect.fail(new ProtocolViolation({ message: `more than ${maxRedirects} redirects` }))
  }
  return Effect.andThen(
    cancelBody(response),
    openResponse(context, slot, { url: target, headers: hop.headers, hops: hop.hops + 1 }),
  )
}

const cancelBody = (response: Response): Effect.Effect<void> =>
  Effect.ignore(Effect.tryPromise(() => response.body?.cancel() ?? Promise.resolve()))

/** Reads the body piece by piece, so that a stalled one is told from a long one. */
const readAnswer = (
  context: RequestContext,
  slot: Slot,
  response: Response,
  sentAt: number,
): Effect.Effect<Answer, ShapeErrorReason | SlotCut> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    let lastByteAt = clock.currentTimeMillisUnsafe()
    const whole = Effect.tryPromise({
      try: () => readBytes(response, () => (lastByteAt = clock.currentTimeMillisUnsafe())),
      catch: (cause) => {
        if (cause instanceof TooLong) return new ProtocolViolation({ message: cause.message })
        return slot.isCut() ? slotCut : classifyFailure(cause)
      },
    })
    const stall = Effect.gen(function* () {
      for (;;) {
        const left = lastByteAt + context.bodyIdleMillis - clock.currentTimeMillisUnsafe()
        if (left <= 0) break
        yield* Effect.sleep(left)
      }
      return yield* Effect.fail(new Network({ message: `the body stalled for ${context.bodyIdleMillis} ms` }))
    })
    const body = yield* Effect.raceFirst(whole, stall)
    const elapsedMillis = clock.currentTimeMillisUnsafe() - sentAt
    return { status: response.status, headers: response.headers, body, elapsedMillis }
  })

/** A longer body is refused: a server's chunk has ten megabytes and one row (protocol reference §3.5). */
export const maxBodyBytes = 256 * 1024 * 1024

class TooLong extends Error {}

/** The body in one array, grown as it comes; the length a server announces may be that of a compressed one. */
const readBytes = async (response: Response, onPart: () => void): Promise<Uint8Array> => {
  const reader = response.body?.getReader()
  if (reader === undefined) return new Uint8Array(0)
  const announced = Number(response.headers.get("content-length") ?? 0)
  let bytes = new Uint8Array(Math.min(announced > 0 ? announced : firstBytes, maxBodyBytes))
  let length = 0
  for (;;) {
    const part = await reader.read()
    if (part.done) return bytes.subarray(0, length)
    onPart()
    const needed = length + part.value.byteLength
    if (needed > maxBodyBytes) throw new TooLong(`the body has more than ${maxBodyBytes} bytes`)
    if (needed > bytes.length) {
      const larger = new Uint8Array(Math.max(needed, bytes.length * 2))
      larger.set(bytes.subarray(0, length))
      bytes = larger
    }
    bytes.set(part.value, length)
    length = needed
  }
}

/** Most answers are small. */
const firstBytes = 16 * 1024
