/**
 * The shape source over a model server: what the Electric adapter does over HTTP (one request at a time, prefetch of the next chunk,
 * refetches told, long polls in shared connection slots), without sockets. It uses the engine's own slot rules, so that a
 * simulation exercises them. Exists so that whole engines run against a model on virtual time.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  ConnectionSlots,
  type Lane,
  type Slot,
  slotCut,
  type SlotCut,
} from "../../adapters/electric/ConnectionSlots.ts"
import { type Batch, ShapeSource, type SourceEvent } from "../../ports/ShapeSource.ts"
import type { Checkpoint } from "../../protocol/Checkpoint.ts"
import { OffsetWord } from "../../protocol/constants.ts"
import type { Instance, InstanceKey } from "../../protocol/Shape.ts"
import { ProtocolViolation, ShapeError, type ShapeErrorReason } from "../../protocol/ShapeError.ts"
import { mustRefetch, signal } from "../messages.ts"
import type { Answer, ShapeRequest } from "./answers.ts"

/** What answers requests: a {@link ModelServer}, or a script. */
export interface ShapeEndpoint {
  readonly request: (request: ShapeRequest) => Effect.Effect<Answer, ShapeErrorReason>
}

/** What a simulation wants to see of its sources. */
export interface SourceObserver {
  readonly started: (instance: Instance, resume: Checkpoint | null) => void
  readonly ended: (key: InstanceKey) => void
  readonly asked: (request: ShapeRequest) => void
  readonly failed: (key: InstanceKey, reason: ShapeErrorReason) => void
  readonly delivered: (key: InstanceKey, batch: Batch) => void
  /** The consumer asks for more: it has taken this batch in, with or without a write. */
  readonly acknowledged: (key: InstanceKey, batch: Batch) => void
}

export interface ModelSourceOptions {
  readonly endpoint: ShapeEndpoint
  /** Ask for the next chunk while the consumer works on this one. Default true. */
  readonly prefetch?: boolean
  /** Send the signals about requests and slots, which only the status reads. Default true. */
  readonly signals?: boolean
  readonly observer?: SourceObserver
}

/** As the Electric adapter: more refetches than this within the window fail the run. */
const maxRefetches = 3
const refetchWindowMillis = 60_000
/** What a message is taken to weigh. */
const bytesPerMessage = 100

/** The source with connection slots of its own; limits come from `EngineConfig`. */
export const modelSource = (options: ModelSourceOptions): Layer.Layer<ShapeSource> =>
  Layer.effect(
    ShapeSource,
    Effect.map(ConnectionSlots, (slots) =>
      ShapeSource.of({
        changes: (instance, resume) =>
          Stream.unwrap(
            Effect.map(startRun(options, slots, instance, resume), (pull) =>
              Stream.fromPull(Effect.succeed(pull)),
            ),
          ),
        connections: slots.connections,
      }),
    ),
  ).pipe(Layer.provide(ConnectionSlots.layer))

type Slots = ConnectionSlots["Service"]
type Failure = ShapeErrorReason | SlotCut

const startRun = Effect.fnUntraced(function* (
  options: ModelSourceOptions,
  slots: Slots,
  instance: Instance,
  resume: Checkpoint | null,
) {
  const scope = yield* Effect.scope
  const signals: Array<SourceEvent> = []
  const tell = (name: "request" | "slot-gained" | "slot-lost"): void => {
    if (options.signals !== false) signals.push(signal(name))
  }
  const lane = yield* slots.lane({
    key: instance.key,
    priority: instance.priority,
    onSlot: (held) => tell(held ? "slot-gained" : "slot-lost"),
  })
  yield* Effect.acquireRelease(
    Effect.sync(() => options.observer?.started(instance, resume)),
    () => Effect.sync(() => options.observer?.ended(instance.key)),
  )
  const run = new Run({ options, slots, lane, scope, instance, tell }, resume)
  return Effect.suspend(() => {
    run.acknowledge()
    const waiting = signals.shift()
    return waiting === undefined ? run.next : Effect.succeed([waiting] as const)
  })
})

interface RunParts {
  readonly options: ModelSourceOptions
  readonly slots: Slots
  readonly lane: Lane
  readonly scope: Scope.Scope
  readonly instance: Instance
  readonly tell: (name: "request") => void
}

class Run {
  readonly #parts: RunParts
  #at: Checkpoint | null
  #live = false
  /** Ask past caches: the handle they may know is void. */
  #fresh = false
  #ahead: Fiber.Fiber<Answer, Failure> | null = null
  #refetches: ReadonlyArray<number> = []
  /** Delivered, and not known to be taken in. */
  #delivered: Batch | null = null

  constructor(parts: RunParts, resume: Checkpoint | null) {
    this.#parts = parts
    this.#at = resume
  }

  /** Called when the consumer asks for more. */
  acknowledge(): void {
    const { instance, options } = this.#parts
    if (this.#delivered !== null) options.observer?.acknowledged(instance.key, this.#delivered)
    this.#delivered = null
  }

  /** The next batch or refetch. */
  readonly next: Effect.Effect<readonly [SourceEvent], ShapeError> = Effect.suspend(() => this.#take()).pipe(
    Effect.flatMap((answer) => this.#understand(answer)),
    Effect.catch((failure: Failure): Effect.Effect<readonly [SourceEvent], ShapeError> => {
      if (failure._tag === "SlotCut") return this.next
      const { key } = this.#parts.instance
      this.#parts.options.observer?.failed(key, failure)
      return Effect.fail(new ShapeError({ key, reason: failure }))
    }),
  )

  #take(): Effect.Effect<Answer, Failure> {
    const ahead = this.#ahead
    if (ahead === null) return this.#ask()
    this.#ahead = null
    return Fiber.join(ahead)
  }

  #ask(): Effect.Effect<Answer, Failure> {
    const { instance, lane, options, slots, tell } = this.#parts
    const live = this.#live
    const request: ShapeRequest = {
      instance,
      handle: this.#at?.handle ?? null,
      offset: this.#at?.offset ?? OffsetWord.start,
      live,
      fresh: this.#fresh,
    }
    return slots.withSlot(lane, live, (slot) => {
      tell("request")
      options.observer?.asked(request)
      const answered = Effect.tap(options.endpoint.request(request), () => Effect.sync(slot.answered))
      return live ? Effect.raceFirst(answered, cut(slot)) : answered
    })
  }

  #understand(answer: Answer): Effect.Effect<readonly [SourceEvent], ShapeErrorReason> {
    if (answer._tag === "Void") return this.#refetch(answer.lost)
    const { options, instance } = this.#parts
    const batch: Batch = {
      _tag: "Batch",
      checkpoint: answer.checkpoint,
      messages: answer.messages,
      upToDate: answer.upToDate,
      lastSeenLsn: null,
      bytes: answer.messages.length * bytesPerMessage,
    }
    this.#at = answer.checkpoint
    this.#live = answer.upToDate
    if (answer.upToDate) this.#fresh = false
    const delivered = Effect.sync(() => {
      this.#delivered = batch
      options.observer?.delivered(instance.key, batch)
      return [batch] as const
    })
    if (answer.upToDate || options.prefetch === false) return delivered
    return Effect.andThen(
      Effect.map(Effect.forkIn(this.#ask(), this.#parts.scope), (fiber) => {
        this.#ahead = fiber
      }),
      delivered,
    )
  }

  #refetch(lost: boolean): Effect.Effect<readonly [SourceEvent], ShapeErrorReason> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const recent = this.#refetches.filter((at) => now - at < refetchWindowMillis)
      if (recent.length >= maxRefetches)
        return Effect.fail(new ProtocolViolation({ message: "the server voided the handle again and again" }))
      this.#refetches = [...recent, now]
      this.#at = null
      this.#live = false
      this.#fresh = !lost
      return Effect.succeed([mustRefetch] as const)
    })
  }
}

/** Fails when the request must make room for others. */
const cut = (slot: Slot): Effect.Effect<never, SlotCut> =>
  Effect.callback<never, SlotCut>((resume) => {
    const abort = (): void => resume(Effect.fail(slotCut))
    if (slot.signal.aborted) return abort()
    slot.signal.addEventListener("abort", abort, { once: true })
    return Effect.sync(() => slot.signal.removeEventListener("abort", abort))
  })
