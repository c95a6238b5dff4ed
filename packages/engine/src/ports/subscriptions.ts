/**
 * The two forms of a source turned into each other: a stream that is pulled, and a listener that is called. Exists so that the engine
 * knows one of them only (the listener, which costs no fiber while nothing happens), and sources may be written in either.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import type { Instance } from "../protocol/Shape.ts"
import { ShapeError, SourceEnded } from "../protocol/ShapeError.ts"
import type { ShapeSource, SourceEvent, SourceListener, Subscribe } from "./ShapeSource.ts"

type Changes = ShapeSource["Service"]["changes"]

const ended = (key: string, message: string): ShapeError =>
  new ShapeError({ key, reason: new SourceEnded({ message }) })

/** What a run that ended without being interrupted failed with. A defect of the source is a failure of the run, not of the engine. */
export const failureOf = (key: string, cause: Cause.Cause<ShapeError>): ShapeError => {
  const error = Cause.squash(cause)
  return error instanceof ShapeError ? error : ended(key, `the source broke: ${String(error)}`)
}

/** The subscription of a source that only has a stream: one fiber, ended with the scope. */
export const subscriptionTo =
  (changes: Changes): Subscribe =>
  (instance, resume, listener) =>
    changes(instance, resume).pipe(
      Stream.runForEach((event) =>
        Effect.callback<void>((go) => listener.onEvent(event, () => go(Effect.void))),
      ),
      Effect.matchCauseEffect({
        onFailure: (cause) =>
          Effect.sync(() => {
            if (!Cause.hasInterruptsOnly(cause)) listener.onEnd(failureOf(instance.key, cause))
          }),
        onSuccess: () => Effect.sync(() => listener.onEnd(ended(instance.key, "the source ended by itself"))),
      }),
      Effect.forkScoped({ startImmediately: true }),
      Effect.asVoid,
    )

const nothing = (): void => undefined

/** What the listener was told and nobody has pulled yet: one event at most, and the end. */
class Pulled implements SourceListener {
  #event: SourceEvent | null = null
  #next: () => void = nothing
  #delivered: () => void = nothing
  #failure: ShapeError | null = null
  #wake: () => void = nothing

  onEvent(event: SourceEvent, next: () => void): void {
    this.#event = event
    this.#next = next
    this.#wake()
  }

  onEnd(error: ShapeError): void {
    this.#failure = error
    this.#wake()
  }

  /** The next event; asks for the one after the last. */
  readonly pull: Effect.Effect<readonly [SourceEvent], ShapeError> = Effect.suspend(() => {
    const delivered = this.#delivered
    this.#delivered = nothing
    delivered()
    return this.#take
  })

  readonly #take: Effect.Effect<readonly [SourceEvent], ShapeError> = Effect.suspend(() => {
    const event = this.#event
    if (event !== null) {
      this.#event = null
      this.#delivered = this.#next
      return Effect.succeed([event] as const)
    }
    if (this.#failure !== null) return Effect.fail(this.#failure)
    return Effect.andThen(this.#arrival, this.#take)
  })

  readonly #arrival: Effect.Effect<void> = Effect.callback<void>((go) => {
    this.#wake = () => go(Effect.void)
    return Effect.sync(() => {
      this.#wake = nothing
    })
  })
}

/** The stream of a source that only has subscriptions: pulling the next element acknowledges the last. */
export const changesOf =
  (subscribe: Subscribe): Changes =>
  (instance: Instance, resume: Checkpoint | null) =>
    Stream.unwrap(
      Effect.suspend(() => {
        const pulled = new Pulled()
        const listener: SourceListener = {
          onEvent: (event, next) => pulled.onEvent(event, next),
          onEnd: (error) => pulled.onEnd(error),
        }
        return Effect.as(subscribe(instance, resume, listener), Stream.fromPull(Effect.succeed(pulled.pull)))
      }),
    )
