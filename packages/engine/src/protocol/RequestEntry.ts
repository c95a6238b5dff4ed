/**
 * One HTTP request of the engine as data: what was asked for whom, when, and what became of it. Plain JSON types because it
 * crosses from the worker to the panel. It says nothing that proves who asks: no headers, no parameter that may carry a secret.
 */

/** `initial` asks from the start of a log, `catch-up` goes on from an offset, `live` waits for news. */
export type RequestPhase = "initial" | "catch-up" | "live"

/**
 * `open`: no end yet. `answered`: the whole answer came, whatever its status. `cut`: a waiting poll gave its connection to
 * another instance and asks again later. `aborted`: nobody wanted the answer any more. `failed`: no answer, or half of one.
 */
export type RequestOutcome = "open" | "answered" | "cut" | "aborted" | "failed"

export interface RequestEntry {
  /** Rises with every request of one engine run. */
  readonly id: number
  /** The instance. */
  readonly key: string
  readonly phase: RequestPhase
  /** Address without credentials, secrets and unknown parameters. */
  readonly url: string
  /** Epoch milliseconds. */
  readonly startedAt: number
  /** Epoch milliseconds when the answer's headers came; null before and without. */
  readonly headersAt: number | null
  /** Epoch milliseconds; null while it is open. */
  readonly endedAt: number | null
  /** HTTP status; null without an answer. */
  readonly status: number | null
  /** Size of the body as read, after decompression. */
  readonly bytes: number
  readonly outcome: RequestOutcome
  /** Why it failed, in a sentence; null unless it did. */
  readonly failure: string | null
}
