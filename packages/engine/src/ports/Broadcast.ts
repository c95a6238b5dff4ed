/**
 * One value told to any number of streams. Does for the engine what `PubSub` and `SubscriptionRef` would, in a fraction of their
 * size, which every page pays for. Publishing never waits: a slow reader loses the oldest of what it has not read.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

type Listener<Value> = (value: Value) => void

export class Broadcast<Value> {
  readonly #listeners = new Set<Listener<Value>>()

  /** Streams that listen now. */
  get size(): number {
    return this.#listeners.size
  }

  publish(value: Value): void {
    for (const listener of this.#listeners) listener(value)
  }

  /** Everything published from the moment the stream runs, up to `capacity` unread; `first`, if given, before it. */
  changes(capacity: number, first?: () => Value): Stream.Stream<Value> {
    return Stream.callback<Value>(
      (queue) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const listener: Listener<Value> = (value) => void Queue.offerUnsafe(queue, value)
            if (first !== undefined) listener(first())
            this.#listeners.add(listener)
            return listener
          }),
          (listener) => Effect.sync(() => this.#listeners.delete(listener)),
        ),
      { bufferSize: capacity, strategy: "sliding" },
    )
  }
}

/** A broadcast that remembers its last value; streams begin with it. */
export class Current<Value> extends Broadcast<Value> {
  #value: Value

  constructor(value: Value) {
    super()
    this.#value = value
  }

  get value(): Value {
    return this.#value
  }

  /** Sets and publishes. */
  set(value: Value): void {
    this.#value = value
    this.publish(value)
  }

  /** The current value, then each later one; a slow reader sees the newest only. */
  get values(): Stream.Stream<Value> {
    return this.changes(1, () => this.#value)
  }
}
