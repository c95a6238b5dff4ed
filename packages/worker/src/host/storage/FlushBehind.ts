/**
 * Lets commits go on while they are being stored, within bounds: how old and how large what is not stored yet may be. Beyond a bound, and
 * after a flush that failed, a commit waits for storage, so a full disk stops the engine as if every commit had waited. Pure of
 * browsers and databases. Docs: `docs/decisions/007-durability.md`.
 */

export interface FlushBehindLimits {
  /** What is not stored yet may be this old before commits wait. */
  readonly maxAgeMillis: number
  /** Bytes committed and not stored yet before commits wait: about half a chunk of Electric's. */
  readonly maxBytes: number
  /** A flush begins this long after the commit that made it necessary, so that commits share one. */
  readonly delayMillis: number
  /** A failed flush is made again after this long, also when nobody commits. */
  readonly retryMillis: number
}

export const defaultFlushBehindLimits: FlushBehindLimits = {
  maxAgeMillis: 1_000,
  maxBytes: 4_000_000,
  delayMillis: 50,
  retryMillis: 5_000,
}

export class FlushBehind {
  readonly #flush: () => Promise<void>
  readonly #limits: FlushBehindLimits
  #unstoredSince: number | null = null
  #unstoredBytes = 0
  #timer: ReturnType<typeof setTimeout> | null = null
  #failed = false

  /** `flush` settles when everything written before it was called is stored; calls may overlap. */
  constructor(flush: () => Promise<void>, limits: FlushBehindLimits = defaultFlushBehindLimits) {
    this.#flush = flush
    this.#limits = limits
  }

  /** Whether something was committed that is not stored yet. */
  get isBehind(): boolean {
    return this.#unstoredSince !== null
  }

  /** Stores everything committed so far. */
  async now(): Promise<void> {
    this.#cancel()
    const [since, bytes] = [this.#unstoredSince, this.#unstoredBytes]
    // What is committed from here on belongs to the next flush.
    this.#unstoredSince = null
    this.#unstoredBytes = 0
    try {
      await this.#flush()
      this.#failed = false
    } catch (error) {
      this.#failed = true
      this.#unstoredSince = since ?? performance.now()
      this.#unstoredBytes += bytes
      this.#schedule(this.#limits.retryMillis)
      throw error
    }
  }

  /** Notes a commit of so many bytes. Resolves at once within the bounds, else when everything is stored. */
  async soon(bytes: number): Promise<void> {
    this.#unstoredSince ??= performance.now()
    this.#unstoredBytes += bytes
    const { delayMillis, maxAgeMillis, maxBytes } = this.#limits
    const age = performance.now() - this.#unstoredSince
    if (this.#failed || age > maxAgeMillis || this.#unstoredBytes > maxBytes) return this.now()
    this.#schedule(delayMillis)
  }

  /** No flush begins by itself any more. */
  close(): void {
    this.#cancel()
  }

  #schedule(millis: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      // The failure was told and is tried again; a commit in between meets it itself.
      this.now().catch(() => undefined)
    }, millis)
  }

  #cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
