/**
 * Does to requests what the faults in force say: waits, cuts connections, answers in the server's place, gives old
 * answers again. The only place that touches a socket. Without faults it adds nothing but one look at an empty list.
 */
import type { ServerResponse } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Header, Param } from "@espalier/engine/wire"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { Fault } from "../faults/Fault.ts"
import type { Faults } from "../faults/Faults.ts"
import type { Query } from "./query.ts"
import * as respond from "./respond.ts"
import type { Exchange } from "./respond.ts"

type Answer = HttpServerResponse.HttpServerResponse

/** A request to the shape API under the faults of its server. */
export interface Faulty {
  readonly faults: Faults
  readonly exchange: Exchange
  readonly query: Query
  readonly request: HttpServerRequest.HttpServerRequest
  /** Makes a handle void: a client that was told to begin again must not meet it a second time. */
  readonly rotate: (handle: string) => Promise<void>
}

/** Serves a request as the faults it meets allow. */
export const serveUnderFaults = Effect.fnUntraced(function* (faulty: Faulty, serve: Effect.Effect<Answer>) {
  const { exchange, faults, query, request } = faulty
  const text = (name: string): string | null => {
    const value = query.get(name)
    return typeof value === "string" ? value : null
  }
  const isLive = query.has(Param.live) && query.get(Param.live) !== "false"
  const target = { table: text(Param.table), handle: text(Param.handle), isLive }
  const chance = yield* Random.next
  const met = faults.meet(target, () => chance)
  const delay = met.reduce((sum, { millis }) => sum + millis, 0)
  if (delay > 0) yield* Effect.sleep(delay)
  const other = met.find(({ kind }) => kind !== "latency")
  switch (other?.kind) {
    case "drop":
      return yield* cut(request)
    case "status":
      if (other.status === 409 && target.handle !== null) yield* rotated(faulty, target.handle)
      return statusAnswer(exchange, other)
    case "stale":
      return yield* staleAnswer(faulty, serve)
    case "reset":
      return breakOff(request, yield* serve)
    default:
      return yield* serve
  }
})

const socketOf = (request: HttpServerRequest.HttpServerRequest): ServerResponse["socket"] =>
  (NodeHttpServerRequest.toServerResponse(request) as ServerResponse).socket

/** Cuts the connection; the closed connection interrupts the request. */
const cut = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<never> =>
  Effect.suspend(() => {
    socketOf(request)?.resetAndDestroy()
    return Effect.never
  })

const rotated = ({ rotate }: Faulty, handle: string): Effect.Effect<void> =>
  Effect.tryPromise({ try: () => rotate(handle), catch: (error) => error }).pipe(
    Effect.catch((error) => Effect.logError("A handle could not be made void", error)),
  )

const statusAnswer = (exchange: Exchange, { retryAfter, status }: Fault): Answer => {
  if (status === 409) return respond.mustRefetch(exchange, null)
  return respond.failure(
    exchange,
    status,
    { code: "injected_fault", message: `This ${status} was asked for by a fault` },
    {
      [Header.internalKnownError]: "true",
      ...(retryAfter === null ? {} : { [Header.retryAfter]: String(retryAfter) }),
    },
  )
}

/** The first answer of a URL, whatever happened since. Only whole 200 answers of GET are kept, as caches do. */
const staleAnswer = Effect.fnUntraced(function* ({ faults, request }: Faulty, serve: Effect.Effect<Answer>) {
  const kept = request.method === "GET" ? faults.kept(request.url) : undefined
  if (kept !== undefined) {
    const { "content-type": contentType = "", ...headers } = kept.headers
    return HttpServerResponse.uint8Array(kept.body, { status: kept.status, headers, contentType })
  }
  const answer = yield* serve
  if (request.method === "GET" && answer.status === 200 && answer.body._tag === "Uint8Array") {
    faults.keep(request.url, {
      status: answer.status,
      headers: { ...answer.headers, "content-type": answer.body.contentType },
      body: answer.body.body,
    })
  }
  return answer
})

/** The first half of a body (of a stream: its first piece), then nothing. */
const breakOff = (request: HttpServerRequest.HttpServerRequest, answer: Answer): Answer => {
  const { body } = answer
  if (body._tag !== "Uint8Array" && body._tag !== "Stream") return answer
  const begin: Stream.Stream<Uint8Array, unknown> =
    body._tag === "Stream"
      ? Stream.take(body.stream, 1)
      : Stream.succeed(body.body.subarray(0, Math.ceil(body.body.byteLength / 2)))
  const stream = begin.pipe(Stream.concat(Stream.fromEffect(flushThenCut(request))))
  return HttpServerResponse.setBody(
    answer,
    HttpBody.stream(stream, body.contentType, body._tag === "Uint8Array" ? body.body.byteLength : undefined),
  )
}

/** Lets what was written leave first, and closes without a TCP reset, which would throw it away at the client. */
const flushThenCut = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<Uint8Array> =>
  Effect.callback<never>(() => {
    const socket = socketOf(request)
    const look = (): void => {
      if (socket === null || socket.destroyed) return
      if (socket.writableLength === 0) socket.destroy()
      else socket.once("drain", look)
    }
    setImmediate(look)
  })
