/**
 * One run of an instance: a chain of client streams, one per handle, feeding one mailbox. It decides what an answer means (go on,
 * refetch, fail) and never repeats a failed request: the state machine does. Called by `ElectricShapeSource.ts` only.
 *
 *   streaming ──409, other handle, offset back, unordered reset──▶ MustRefetch, streaming from the start
 *      │           ├── the second and later ones wait
 *      │           └── more than `maxRefetches` within `refetchWindowMillis` ──▶ failed (ProtocolViolation)
 *      └──any other failure──▶ failed         (each failure closes the client before the client hears of it)
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { SourceListener } from "../../ports/ShapeSource.ts"
import type { Checkpoint } from "../../protocol/Checkpoint.ts"
import { backoffMillis } from "../../protocol/backoff.ts"
import { Header } from "../../protocol/constants.ts"
import { contentSize } from "../../protocol/PackedRows.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import { ProtocolViolation, ShapeError, type ShapeErrorReason } from "../../protocol/ShapeError.ts"
import { classifyAnswer } from "./classify.ts"
import { ClientStream, type CacheBust, type StreamOwner, type StreamRequest } from "./ClientStream.ts"
import type { Lane } from "./ConnectionSlots.ts"
import { Mailbox } from "./Mailbox.ts"
import { askInSlot, type Answer, type RequestContext } from "./request.ts"
import { type DecodedBody, isRegression, readBody } from "./wire.ts"

/** Refetches a run may need within the window; beyond it the run fails, so that the state machine backs off. */
export const maxRefetches = 3
export const refetchWindowMillis = 60_000

/** A poll answered empty faster than this was not held; after `maxIdlePolls` of them in a row each waits, at most `maxIdlePauseMillis`. */
export const idlePollMillis = 200
export const maxIdlePolls = 5
export const maxIdlePauseMillis = 5_000

export interface RunOptions {
  readonly key: InstanceKey
  /** Address of the shape, without protocol parameters. */
  readonly url: URL
  readonly resume: Checkpoint | null
  readonly requests: Omit<RequestContext, "key" | "onRequest">
  readonly priority: number
}

/** Starts a run; closing the scope aborts every request and client of it. */
export const startRun = (
  options: RunOptions,
  listener: SourceListener,
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const mailbox = new Mailbox(listener)
    const lane = yield* options.requests.slots.lane({
      key: options.key,
      priority: options.priority,
      onSlot: (held) => mailbox.offerSignal({ _tag: "Signal", signal: held ? "slot-gained" : "slot-lost" }),
    })
    const runPromise = yield* FiberSet.makeRuntimePromise()
    const salt = (yield* Random.nextInt) >>> 0
    const run = new ShapeRun(options, { mailbox, lane, runPromise, salt: salt.toString(36) })
    yield* Effect.acquireRelease(
      Effect.sync(() => run.start(options.resume, null)),
      () => Effect.sync(() => run.close()),
    )
  })

interface RunParts {
  readonly mailbox: Mailbox
  readonly lane: Lane
  readonly runPromise: <A, E>(effect: Effect.Effect<A, E>, options?: Effect.RunOptions) => Promise<A>
  readonly salt: string
}

class ShapeRun {
  readonly #options: RunOptions
  readonly #parts: RunParts
  readonly #requests: RequestContext
  readonly #owner: StreamOwner
  #stream: ClientStream | null = null
  #streams = 0
  /** Polls in a row that came back empty at once. */
  #idlePolls = 0
  /** When the refetches of the current window happened, epoch milliseconds. */
  #refetches: ReadonlyArray<number> = []

  constructor(options: RunOptions, parts: RunParts) {
    this.#options = options
    this.#parts = parts
    this.#requests = {
      ...options.requests,
      key: options.key,
      onRequest: () => parts.mailbox.offerSignal({ _tag: "Signal", signal: "request" }),
    }
    this.#owner = {
      respond: (stream, request) =>
        parts.runPromise(this.#respond(stream, request), signalOption(request.signal)),
      onBatch: (batch) => parts.mailbox.offerBatch(batch),
      onViolation: (message) => this.#fail(new ProtocolViolation({ message })),
    }
  }

  start(resume: Checkpoint | null, bust: CacheBust | null): void {
    this.#streams += 1
    const stream = new ClientStream({
      url: this.#options.url,
      resume,
      bust,
      streamId: `${this.#parts.salt}-${this.#streams}`,
      owner: this.#owner,
    })
    this.#stream = stream
    stream.start()
  }

  close(): void {
    this.#stream?.close()
    this.#stream = null
    this.#parts.mailbox.close()
  }

  #fail(reason: ShapeErrorReason): void {
    this.#stream?.close()
    this.#stream = null
    this.#parts.mailbox.fail(new ShapeError({ key: this.#options.key, reason }))
  }

  /** Fails the client's request in every case but one: a good answer. By then the client has been aborted. */
  #respond(stream: ClientStream, request: StreamRequest): Effect.Effect<Response, unknown> {
    const work = Effect.gen({ self: this }, function* () {
      if (stream.isUnorderedReset(request.facts)) return yield* this.#refetch(stream, null)
      const answer = yield* askInSlot(this.#requests, this.#parts.lane, request.url, request.facts.live)
      return yield* this.#judge(stream, request, answer)
    })
    return Effect.tapError(work, (reason) =>
      Effect.sync(() => {
        if (stream === this.#stream && reason !== streamVoid) this.#fail(reason as ShapeErrorReason)
      }),
    )
  }

  #judge(
    stream: ClientStream,
    { facts }: StreamRequest,
    answer: Answer,
  ): Effect.Effect<Response, ShapeErrorReason | StreamVoid> {
    if (answer.status === 409) return this.#refetch(stream, facts.handle)
    if (answer.status !== 200 && answer.status !== 204) {
      const failed = {
        status: answer.status,
        retryAfter: answer.headers.get(Header.retryAfter),
        body: new TextDecoder().decode(answer.body),
      }
      return Effect.flatMap(Clock.currentTimeMillis, (nowMillis) =>
        Effect.fail(classifyAnswer(failed, nowMillis)),
      )
    }
    const problem = headerProblem(answer)
    if (problem !== null) return Effect.fail(new ProtocolViolation({ message: problem }))
    const body = answer.status === 204 ? emptyPoll : readBody(answer.body)
    if (body._tag === "Violation") return Effect.fail(new ProtocolViolation({ message: body.message }))
    const handle = answer.headers.get(Header.handle)
    if (body.mustRefetch || (facts.handle !== null && handle !== facts.handle)) {
      return this.#refetch(stream, facts.handle ?? handle)
    }
    // Handles are never reused: the void one again means that a cache answered.
    if (handle !== null && handle === stream.bust?.expiredHandle) return this.#refetch(stream, handle)
    const offset = answer.headers.get(Header.offset) ?? facts.offset
    // The handle itself may be good; a log that goes back is not.
    if (isRegression(facts.offset, offset)) return this.#refetch(stream, null)
    // The client would ask the same again at once, and after five times throw its log away in silence.
    if (!body.upToDate && offset === facts.offset) {
      return Effect.fail(
        new ProtocolViolation({ message: `the server does not move on from offset ${offset}` }),
      )
    }
    return Effect.as(
      this.#paceIdlePolls(facts.live && contentSize(body) === 0, answer.elapsedMillis),
      stream.envelop(body, answer.body.length, answer.headers, facts.live),
    )
  }

  /** A poll that comes back empty at once is a server or cache that does not hold polls: wait before the next one. */
  #paceIdlePolls(empty: boolean, elapsedMillis: number): Effect.Effect<void> {
    this.#idlePolls = empty && elapsedMillis < idlePollMillis ? this.#idlePolls + 1 : 0
    const excess = this.#idlePolls - maxIdlePolls
    return excess <= 0 ? Effect.void : Effect.sleep(Math.min(50 * 2 ** (excess - 1), maxIdlePauseMillis))
  }

  /** Closes the stream, tells the consumer, and starts again from the beginning past every cache. */
  #refetch(
    stream: ClientStream,
    expiredHandle: string | null,
  ): Effect.Effect<never, ShapeErrorReason | StreamVoid> {
    return Effect.gen({ self: this }, function* () {
      const nowMillis = yield* Clock.currentTimeMillis
      const random = (yield* Random.nextInt) >>> 0
      if (stream !== this.#stream) return yield* Effect.fail(streamVoid)
      const recent = this.#refetches.filter((at) => nowMillis - at < refetchWindowMillis)
      if (recent.length >= maxRefetches) {
        return yield* Effect.fail(
          new ProtocolViolation({
            message: `the server voided the handle ${recent.length + 1} times within ${refetchWindowMillis} ms`,
          }),
        )
      }
      // A server that voids each handle it gives is asked again later and later.
      if (recent.length > 0) {
        const fraction = random / 2 ** 32
        yield* Effect.sleep(backoffMillis(recent.length, fraction, 0, this.#requests.backoff))
        if (stream !== this.#stream) return yield* Effect.fail(streamVoid)
      }
      return yield* Effect.suspend(() => {
        this.#refetches = [...recent, nowMillis]
        stream.close()
        this.#parts.mailbox.offerMustRefetch({ _tag: "MustRefetch" })
        this.start(null, {
          value: `${nowMillis}-${random.toString(36)}`,
          expiredHandle: expiredHandle ?? stream.bust?.expiredHandle ?? null,
        })
        return Effect.fail(streamVoid)
      })
    })
  }
}

/** Not a failure of the run: the stream the request belonged to is over. */
interface StreamVoid {
  readonly _tag: "StreamVoid"
}
const streamVoid: StreamVoid = { _tag: "StreamVoid" }

const emptyPoll: DecodedBody = {
  _tag: "Body",
  messages: [],
  upToDate: true,
  lastSeenLsn: null,
  mustRefetch: false,
}

/** A captive portal or a proxy that drops headers must not pass for an empty shape. */
const headerProblem = (answer: Answer): string | null => {
  const missing = [Header.handle, Header.offset].filter((name) => (answer.headers.get(name) ?? "") === "")
  if (missing.length > 0) return `the answer lacks ${missing.join(" and ")}`
  const contentType = answer.headers.get("content-type") ?? ""
  return answer.status === 204 || /\bjson\b/i.test(contentType)
    ? null
    : `the answer is ${contentType || "untyped"}, not JSON`
}

const signalOption = (signal: AbortSignal | undefined): Effect.RunOptions =>
  signal === undefined ? {} : { signal }
