/**
 * One real HTTP request, from the slot to the last byte of the body. Exists so that the official client never meets a failure: its
 * own fetch layer would retry 429, 5xx and network errors for ever and in silence (protocol reference §4.6). This module neither retries
 * nor reads messages; it answers with status, headers and body, or fails with a reason. Called by the stream module only.
 *
 * A cut poll is no failure: whoever asked takes its next turn and asks again.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { ProtocolViolation, Network, type ShapeErrorReason } from "../../protocol/ShapeError.ts"
import { minBackoffMillis } from "../../protocol/backoff.ts"
import { Header } from "../../protocol/constants.ts"
import type { CredentialsShape, IssuedCredentials } from "../../ports/Credentials.ts"
import { readBytes, TooLong } from "./body.ts"
import { classifyFailure, parseRetryAfter } from "./classify.ts"
import { noteEnd, type RequestLog } from "./RequestLog.ts"
import {
  slotCut,
  type ConnectionSlots,
  type Lane,
  type Slot,
  type SlotCut,
  type TicketHandle,
} from "./ConnectionSlots.ts"

/** A whole answer. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
  /** From sending the request to the last byte. */
  readonly elapsedMillis: number
  /** What it was asked with. */
  readonly used: IssuedCredentials
}

/** What requests need besides their address. */
export interface RequestContext {
  /** The instance, for spans. */
  readonly key: string
  readonly fetch: typeof globalThis.fetch
  /** Where each request is written down for a person who looks. */
  readonly log: RequestLog
  /** Asked for each request anew, so that a refreshed token is used at once. */
  readonly headers: Effect.Effect<Readonly<Record<string, string>>, ShapeErrorReason>
  readonly credentials: CredentialsShape
  readonly slots: ConnectionSlots["Service"]
  /** Paces repeated refetches. */
  readonly backoff: { readonly backoffBaseMillis: number; readonly backoffCapMillis: number }
  /** A request without response headers is cut after this long. */
  readonly requestTimeoutMillis: number
  /** A body is cut when no byte of it comes for this long; a large grant may take its time (protocol reference §13.9). */
  readonly bodyIdleMillis: number
  /** Called when a request is sent. */
  readonly onRequest: () => void
}

/** Redirects followed in one request. */
export const maxRedirects = 5

/** What to ask, and with which ticket: taken as the request begins, null when there is none to be had now. */
export interface Ask {
  readonly lane: Lane
  readonly url: URL
  readonly live: boolean
  readonly ticket: () => TicketHandle | null
}

/**
 * Asks `url` once the ticket is granted; `SlotCut` when it was cut to make room, or there was no ticket. A 401 is asked once more with
 * new credentials, when there are any to be had; only then is it an answer.
 */
export const askInSlot = (
  context: RequestContext,
  { lane, live, ticket, url }: Ask,
  renewed = false,
): Effect.Effect<Answer, ShapeErrorReason | SlotCut> =>
  Effect.gen(function* () {
    // Renewed while the slot is held: whoever got it next would ask with the old ones.
    const [answer, again] = yield* context.slots.withTicket(ticket, (slot) =>
      Effect.flatMap(traced(context, live, ask(context, lane, slot, url)), (answer) =>
        Effect.map(renew(context, answer, renewed), (again) => [answer, again] as const),
      ),
    )
    const next = (): TicketHandle => context.slots.take(lane, live)
    return again ? yield* askInSlot(context, { lane, live, url, ticket: next }, true) : answer
  })

/** The request as a span. Never the address: its query may carry a secret. */
const traced = <A, E>(
  { key }: RequestContext,
  live: boolean,
  request: Effect.Effect<A, E>,
): Effect.Effect<A, E> => Effect.withSpan(request, "espalier.request", { attributes: { key, live } })

/** Whether to ask once more: only after a 401, and only once there are new credentials. */
const renew = (
  { credentials }: RequestContext,
  { status, used }: Answer,
  renewed: boolean,
): Effect.Effect<boolean, ShapeErrorReason> => {
  if (status !== 401) return Effect.succeed(false)
  return renewed ? Effect.as(credentials.refuse(used), false) : credentials.renew(used)
}

/** The loop guard: whatever goes wrong above, the same address is not asked again at once (I5). */
const guard = (lane: Lane, url: URL): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const since = lane.asked?.href === url.href ? Math.max(0, now - lane.asked.at) : minBackoffMillis
    return since >= minBackoffMillis ? Effect.void : Effect.sleep(minBackoffMillis - since)
  })

const ask = (
  context: RequestContext,
  lane: Lane,
  slot: Slot,
  url: URL,
): Effect.Effect<Answer, ShapeErrorReason | SlotCut> =>
  Effect.gen(function* () {
    const [own, used] = yield* Effect.timeoutOrElse(
      Effect.all([context.headers, context.credentials.current], { concurrency: 2 }),
      {
        duration: context.requestTimeoutMillis,
        orElse: () =>
          Effect.fail(new Network({ message: `no credentials within ${context.requestTimeoutMillis} ms` })),
      },
    )
    if (slot.isCut()) return yield* Effect.fail(slotCut)
    yield* guard(lane, url)
    if (slot.isCut()) return yield* Effect.fail(slotCut)
    context.onRequest()
    const clock = yield* Clock.Clock
    const sentAt = clock.currentTimeMillisUnsafe()
    const noted = context.log.open(context.key, url, sentAt)
    lane.asked = { href: url.href, at: sentAt }
    const hop: Hop = {
      url: withParams(url, used.params),
      headers: { ...own, ...used.headers },
      hops: 0,
      onHeaders: (status) => noted.headers(status, clock.currentTimeMillisUnsafe()),
    }
    const exchange = Effect.flatMap(openResponse(context, slot, hop), (response) =>
      readAnswer(context, slot, response, sentAt),
    )
    // Interruption, a timeout or a refused answer must close the socket, not only stop waiting for it.
    const answer = yield* Effect.onExit(exchange, (exit) =>
      Effect.sync(() => {
        noteEnd(noted, exit, clock.currentTimeMillisUnsafe())
        if (exit._tag === "Failure") slot.abort()
      }),
    ).pipe(
      Effect.tapError((reason) =>
        Effect.sync(() => {
          if (reason._tag !== "SlotCut") slot.report(reason._tag === "Network" ? 0 : null)
        }),
      ),
    )
    slot.report(patience(answer, sentAt + answer.elapsedMillis))
    return { ...answer, used }
  })

/** Milliseconds of patience an answer asks of everybody; null for an answer that does not. */
const patience = (answer: Omit<Answer, "used">, nowMillis: number): number | null =>
  answer.status === 429 || answer.status >= 500
    ? (parseRetryAfter(answer.headers.get(Header.retryAfter), nowMillis) ?? 0)
    : null

/** Never on the address the client or the loop guard sees. */
const withParams = (url: URL, params: Readonly<Record<string, string>> = {}): URL => {
  const full = new URL(url)
  for (const [name, value] of Object.entries(params)) full.searchParams.set(name, value)
  return full
}

interface Hop {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly hops: number
  readonly onHeaders: (status: number) => void
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
        .then(noteAnswer(slot, hop)),
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
  (slot: Slot, hop: Hop) =>
  (response: Response): Response => {
    slot.answered()
    hop.onHeaders(response.status)
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
    openResponse(context, slot, { ...hop, url: target, hops: hop.hops + 1 }),
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
): Effect.Effect<Omit<Answer, "used">, ShapeErrorReason | SlotCut> =>
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
    yield* Effect.annotateCurrentSpan({ status: response.status, bytes: body.byteLength })
    return { status: response.status, headers: response.headers, body, elapsedMillis }
  })
