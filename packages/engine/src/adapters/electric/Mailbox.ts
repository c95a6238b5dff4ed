/**
 * Hands what the official client pushes to a consumer that pulls, one element at a time. Exists because the client's callback and
 * the stream's pull live on different sides: the callback's promise resolves when the consumer pulls the element after the batch, and
 * until then the client sends no further request (apart from its two prefetched chunks). One consumer only.
 *
 * Bounded: at most one unacknowledged batch per client stream, a must-refetch per stream, one slot signal (the newest) and
 * `maxRequestSignals` request signals.
 */
import * as Effect from "effect/Effect"
import type { Batch, MustRefetch, SourceEvent, SourceSignal } from "../../ports/ShapeSource.ts"
import type { ShapeError } from "../../protocol/ShapeError.ts"

/** Undelivered request signals kept; older ones are dropped, since they only count for status. */
export const maxRequestSignals = 32

interface Entry {
  readonly event: SourceEvent
  readonly acknowledge: () => void
}

const nobody = (): void => undefined

export class Mailbox {
  #entries: Array<Entry> = []
  #delivered: () => void = nobody
  #wake: () => void = nobody
  #failure: ShapeError | null = null
  #closed = false

  /** Adds a batch; resolves when the consumer has pulled the element after it, or when the mailbox is closed. */
  offerBatch(batch: Batch): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed || this.#failure !== null) resolve()
      else this.#add({ event: batch, acknowledge: resolve })
    })
  }

  offerMustRefetch(event: MustRefetch): void {
    if (!this.#closed && this.#failure === null) this.#add({ event, acknowledge: nobody })
  }

  /** Signals of the same sort replace older ones that nobody has pulled yet. */
  offerSignal(event: SourceSignal): void {
    if (this.#closed || this.#failure !== null) return
    if (event.signal === "request") {
      const isRequest = (entry: Entry): boolean =>
        entry.event._tag === "Signal" && entry.event.signal === "request"
      if (this.#entries.filter(isRequest).length >= maxRequestSignals) {
        this.#entries.splice(this.#entries.findIndex(isRequest), 1)
      }
    } else {
      this.#entries = this.#entries.filter(
        ({ event: old }) => old._tag !== "Signal" || old.signal === "request",
      )
    }
    this.#add({ event, acknowledge: nobody })
  }

  /** Ends the stream with this error after what was offered before. The first failure wins. */
  fail(error: ShapeError): void {
    if (this.#closed || this.#failure !== null) return
    this.#failure = error
    this.#wake()
  }

  /** Lets go of everyone who waits for an acknowledgement; nothing is delivered after this. */
  close(): void {
    this.#closed = true
    const entries = this.#entries
    this.#entries = []
    this.#acknowledgeDelivered()
    for (const entry of entries) entry.acknowledge()
    this.#wake()
  }

  /** The next element; acknowledges the one before. */
  readonly pull: Effect.Effect<readonly [SourceEvent], ShapeError> = Effect.suspend(() => {
    this.#acknowledgeDelivered()
    return this.#next
  })

  readonly #next: Effect.Effect<readonly [SourceEvent], ShapeError> = Effect.suspend(() => {
    const entry = this.#entries.shift()
    if (entry !== undefined) {
      this.#delivered = entry.acknowledge
      return Effect.succeed([entry.event] as const)
    }
    if (this.#failure !== null) return Effect.fail(this.#failure)
    return Effect.andThen(this.#arrival, this.#next)
  })

  readonly #arrival: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.#wake = () => resume(Effect.void)
    return Effect.sync(() => {
      this.#wake = nobody
    })
  })

  #add(entry: Entry): void {
    this.#entries.push(entry)
    this.#wake()
  }

  #acknowledgeDelivered(): void {
    const acknowledge = this.#delivered
    this.#delivered = nobody
    acknowledge()
  }
}
