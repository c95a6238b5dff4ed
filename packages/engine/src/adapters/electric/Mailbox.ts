/**
 * Hands what the official client pushes to a listener, one event at a time: the client's promise resolves when the listener asks for
 * the event after the batch, and until then the client sends no further request (apart from its two prefetched chunks).
 *
 * Bounded: at most one unacknowledged batch per client stream, a must-refetch per stream, one slot signal (the newest) and
 * `maxRequestSignals` request signals.
 */
import type {
  Batch,
  MustRefetch,
  SourceEvent,
  SourceListener,
  SourceSignal,
} from "../../ports/ShapeSource.ts"
import type { ShapeError } from "../../protocol/ShapeError.ts"

/** Undelivered request signals kept; older ones are dropped, since they only count for status. */
export const maxRequestSignals = 32

interface Entry {
  readonly event: SourceEvent
  readonly acknowledge: () => void
}

const nobody = (): void => undefined

export class Mailbox {
  readonly #listener: SourceListener
  #entries: Array<Entry> = []
  #delivered: () => void = nobody
  /** The listener has an event and has not asked for the next. */
  #busy = false
  /** Events are being delivered further up the stack. */
  #delivering = false
  #failure: ShapeError | null = null
  #closed = false

  constructor(listener: SourceListener) {
    this.#listener = listener
  }

  /** Adds a batch; resolves when the listener asks for the event after it, or when the mailbox is closed. */
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

  /** Ends the run with this error after what was offered before. The first failure wins. */
  fail(error: ShapeError): void {
    if (this.#closed || this.#failure !== null) return
    this.#failure = error
    this.#deliver()
  }

  /** Lets go of everyone who waits for an acknowledgement; nothing is delivered after this. */
  close(): void {
    this.#closed = true
    const entries = this.#entries
    this.#entries = []
    this.#acknowledgeDelivered()
    for (const entry of entries) entry.acknowledge()
  }

  #add(entry: Entry): void {
    this.#entries.push(entry)
    this.#deliver()
  }

  /** A loop, not a recursion: a listener asks for the next event while it is still in the call for this one. */
  #deliver(): void {
    if (this.#delivering) return
    this.#delivering = true
    while (!this.#busy && !this.#closed) {
      const entry = this.#entries.shift()
      if (entry === undefined) {
        if (this.#failure !== null) {
          this.#closed = true
          this.#listener.onEnd(this.#failure)
        }
        break
      }
      this.#busy = true
      this.#delivered = entry.acknowledge
      this.#listener.onEvent(entry.event, this.#next)
    }
    this.#delivering = false
  }

  readonly #next = (): void => {
    this.#busy = false
    this.#acknowledgeDelivered()
    this.#deliver()
  }

  #acknowledgeDelivered(): void {
    const acknowledge = this.#delivered
    this.#delivered = nobody
    acknowledge()
  }
}
