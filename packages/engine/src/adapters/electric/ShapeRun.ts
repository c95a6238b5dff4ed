/**
 * One run of an instance: a chain of client streams, each from one place to the next wait, feeding one mailbox. It decides what an answer means (go on,
 * refetch, fail) and never repeats a failed request: the state machine does. Called by `ElectricShapeSource.ts` only.
 *
 *   streaming ──409, other handle, offset back, unordered reset──▶ MustRefetch, streaming from the start
 *      │           ├── the second and later ones wait (`Pacing.ts`)
 *      │           └── more than `maxRefetches` within `refetchWindowMillis` ──▶ failed (ProtocolViolation)
 *      ├──any other failure──▶ failed         (each failure closes the client before the client hears of it)
 *      └──a poll without a free connection──▶ waiting: a place in the queue, without client and fiber ──granted──▶ streaming
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { SourceListener } from "../../ports/ShapeSource.ts"
import { failureOf } from "../../ports/subscriptions.ts"
import type { Checkpoint } from "../../protocol/Checkpoint.ts"
import { contentSize } from "../../protocol/PackedRows.ts"
import type { Instance } from "../../protocol/Shape.ts"
import { ProtocolViolation, ShapeError, type ShapeErrorReason } from "../../protocol/ShapeError.ts"
import { ClientStream, type Place, placeOf, type StreamOwner, type StreamRequest } from "./ClientStream.ts"
import type { Lane, TicketHandle } from "./ConnectionSlots.ts"
import { Mailbox } from "./Mailbox.ts"
import { Pacing } from "./Pacing.ts"
import { askInSlot, type Answer, type RequestContext } from "./request.ts"
import { judgeAnswer } from "./verdict.ts"

/** What all runs of a source have in common. */
export interface SharedParts {
  readonly requests: Omit<RequestContext, "key" | "onRequest">
  /** Address of the shape, without protocol parameters. */
  readonly url: (instance: Instance) => URL
  /** A name for a client stream that no other has. */
  readonly streamId: () => string
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
}

export interface RunOptions {
  readonly instance: Instance
  readonly resume: Checkpoint | null
  readonly shared: SharedParts
}

/** Starts a run; closing the scope aborts every request and client of it. */
export const startRun = (
  options: RunOptions,
  listener: SourceListener,
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const run = new ShapeRun(options, listener)
        run.wait()
        return run
      }),
      (run) => run.end,
    ),
  )

type RunPromise = <A, E>(effect: Effect.Effect<A, E>, options?: Effect.RunOptions) => Promise<A>

const nothing = (): void => undefined

class ShapeRun {
  readonly #instance: Instance
  readonly #shared: SharedParts
  readonly #mailbox: Mailbox
  readonly #lane: Lane
  #place: Place
  /** Waits for its turn, or is granted and kept for the first request of the next client. */
  #ticket: TicketHandle | null = null
  /** Runs while there is a client. */
  #fiber: Fiber.Fiber<void> | null = null
  /** Ends the fiber by itself. */
  #release: () => void = nothing
  #stream: ClientStream | null = null
  #ended = false
  readonly #pacing = new Pacing()

  constructor({ instance, resume, shared }: RunOptions, listener: SourceListener) {
    this.#instance = instance
    this.#shared = shared
    this.#mailbox = new Mailbox(listener)
    this.#place = { resume, bust: null, poll: null }
    this.#lane = shared.requests.slots.openLane({
      key: instance.key,
      priority: instance.priority,
      onSlot: (held) =>
        this.#mailbox.offerSignal({ _tag: "Signal", signal: held ? "slot-gained" : "slot-lost" }),
    })
  }

  /** Takes the next client's place in the queue. Until it is granted there is neither client nor fiber. */
  wait(): void {
    const ticket = (this.#ticket ??= this.#shared.requests.slots.take(this.#lane, this.#place.poll !== null))
    if (ticket.aborter === null) ticket.onGrant = () => this.#begin()
    else this.#begin()
  }

  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    this.#ended = true
    this.#mailbox.close()
    this.#close()
    return this.#fiber === null ? Effect.void : Fiber.interrupt(this.#fiber)
  }).pipe(Effect.andThen(Effect.sync(() => this.#shared.requests.slots.closeLane(this.#lane))))

  /** A fiber for as long as the client lives; one client at a time. */
  #begin(): void {
    const before = this.#fiber
    const life = before === null ? this.#life : Effect.andThen(Fiber.await(before), this.#life)
    // Later: the grant may come while the table of slots is changing.
    const fiber = this.#shared.fork(Effect.andThen(Effect.yieldNow, life))
    this.#fiber = fiber
    fiber.addObserver(() => {
      if (this.#fiber === fiber) this.#fiber = null
    })
  }

  readonly #life: Effect.Effect<void> = Effect.scoped(
    Effect.gen({ self: this }, function* () {
      const runPromise = yield* FiberSet.makeRuntimePromise()
      yield* Effect.callback<void>((go) => {
        this.#release = () => go(Effect.void)
        if (this.#ended) this.#release()
        else this.#start(runPromise)
      })
    }),
  ).pipe(
    Effect.catchCause((cause) =>
      Effect.sync(() => {
        if (!Cause.hasInterruptsOnly(cause)) this.#giveUp(failureOf(this.#instance.key, cause))
      }),
    ),
  )

  #start(runPromise: RunPromise): void {
    const requests: RequestContext = {
      ...this.#shared.requests,
      key: this.#instance.key,
      onRequest: () => this.#mailbox.offerSignal({ _tag: "Signal", signal: "request" }),
    }
    const owner: StreamOwner = {
      respond: (stream, request) =>
        runPromise(this.#respond(requests, stream, request), signalOption(request.signal)),
      onBatch: (batch) => this.#mailbox.offerBatch(batch),
      onViolation: (message) => this.#fail(new ProtocolViolation({ message })),
    }
    const stream = new ClientStream({
      url: this.#shared.url(this.#instance),
      place: this.#place,
      streamId: this.#shared.streamId(),
      owner,
    })
    this.#stream = stream
    stream.start()
  }

  /** Lets go of client, ticket and fiber. */
  #close(): void {
    this.#stream?.close()
    this.#stream = null
    if (this.#ticket !== null) this.#shared.requests.slots.leave(this.#ticket)
    this.#ticket = null
    this.#release()
    this.#release = nothing
  }

  #giveUp(error: ShapeError): void {
    this.#close()
    this.#mailbox.fail(error)
  }

  #fail(reason: ShapeErrorReason): void {
    this.#giveUp(new ShapeError({ key: this.#instance.key, reason }))
  }

  /** The client is over; the next one begins at this place, when it has its turn. */
  #leaveAt(place: Place): void {
    this.#stream?.close()
    this.#stream = null
    this.#place = place
    this.#release()
    this.#release = nothing
    this.wait()
  }

  /** Fails the client's request in every case but one: a good answer. By then the client has been aborted. */
  #respond(
    requests: RequestContext,
    stream: ClientStream,
    request: StreamRequest,
  ): Effect.Effect<Response, unknown> {
    const work = Effect.gen({ self: this }, function* () {
      if (stream.isUnorderedReset(request.facts)) return yield* this.#refetch(stream, null)
      const answer = yield* this.#ask(requests, stream, request)
      return yield* this.#judge(stream, request, answer)
    })
    return Effect.tapError(work, (reason) =>
      Effect.sync(() => {
        if (stream === this.#stream && reason !== streamVoid) this.#fail(reason as ShapeErrorReason)
      }),
    )
  }

  /** A poll that finds no free connection, or lost its own, ends the client: it waits as a place in the queue. */
  #ask(
    requests: RequestContext,
    stream: ClientStream,
    request: StreamRequest,
  ): Effect.Effect<Answer, ShapeErrorReason | StreamVoid> {
    const { live } = request.facts
    const ask = { lane: this.#lane, live, url: request.url, ticket: () => this.#takeTicket(request) }
    return Effect.catchTag(askInSlot(requests, ask), "SlotCut", () =>
      Effect.suspend(() => {
        if (stream !== this.#stream) return Effect.fail(streamVoid)
        const place = placeOf(request, stream.bust)
        if (this.#ticket === null || place === null) return this.#ask(requests, stream, request)
        this.#leaveAt(place)
        return Effect.fail(streamVoid)
      }),
    )
  }

  /** The ticket kept for the request, or a new one; null when that is a poll's and has to wait. */
  #takeTicket(request: StreamRequest): TicketHandle | null {
    const { slots } = this.#shared.requests
    const kept = this.#ticket
    this.#ticket = null
    if (kept !== null && kept.live !== request.facts.live) slots.leave(kept)
    else if (kept !== null) return kept
    const ticket = slots.take(this.#lane, request.facts.live)
    if (ticket.aborter !== null || placeOf(request, null) === null) return ticket
    this.#ticket = ticket
    return null
  }

  #judge(
    stream: ClientStream,
    { facts }: StreamRequest,
    answer: Answer,
  ): Effect.Effect<Response, ShapeErrorReason | StreamVoid> {
    return Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => {
      const verdict = judgeAnswer(answer, facts, stream.bust?.expiredHandle ?? null, nowMillis)
      if (verdict._tag === "Failed") return Effect.fail(verdict.reason)
      if (verdict._tag === "Refetch") return this.#refetch(stream, verdict.expiredHandle)
      const { body } = verdict
      const pause = this.#pacing.idlePause(facts.live && contentSize(body) === 0, answer.elapsedMillis)
      return Effect.as(
        pause === 0 ? Effect.void : Effect.sleep(pause),
        stream.envelop(body, answer.body.length, answer.headers, facts.live),
      )
    })
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
      const { backoff } = this.#shared.requests
      const pause = this.#pacing.refetchPause(nowMillis, random / 2 ** 32, backoff)
      if (typeof pause === "string") return yield* Effect.fail(new ProtocolViolation({ message: pause }))
      if (pause > 0) {
        yield* Effect.sleep(pause)
        if (stream !== this.#stream) return yield* Effect.fail(streamVoid)
      }
      return yield* Effect.suspend(() => {
        this.#pacing.refetched(nowMillis)
        stream.close()
        this.#mailbox.offerMustRefetch({ _tag: "MustRefetch" })
        const bust = {
          value: `${nowMillis}-${random.toString(36)}`,
          expiredHandle: expiredHandle ?? stream.bust?.expiredHandle ?? null,
        }
        this.#leaveAt({ resume: null, bust, poll: null })
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

const signalOption = (signal: AbortSignal | undefined): Effect.RunOptions =>
  signal === undefined ? {} : { signal }
