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
  /** Committed since the last flush began. */
  #waitingBytes = 0
  #waiting = false
  /** Of the flushes under way. */
  #flyingBytes = 0
  #flying = 0
  #timer: ReturnType<typeof setTimeout> | null = null
  /** Runs while something is not stored, and says that it has been so for too long. */
  #ageTimer: ReturnType<typeof setTimeout> | null = null
  #tooOld = false
  #failed = false

  /** `flush` settles when everything written before it was called is stored; calls may overlap. */
  constructor(flush: () => Promise<void>, limits: FlushBehindLimits = defaultFlushBehindLimits) {
    this.#flush = flush
    this.#limits = limits
  }

  /** Whether something was committed that is not stored yet. */
  get isBehind(): boolean {
    return this.#waiting || this.#flying > 0
  }

  /** Stores everything committed so far. */
  async now(): Promise<void> {
    this.#timer = stopped(this.#timer)
    // What is committed from here on belongs to the next flush, and still counts until this one has ended.
    const [bytes, waiting] = [this.#waitingBytes, this.#waiting]
    this.#waitingBytes = 0
    this.#waiting = false
    this.#flyingBytes += bytes
    this.#flying += 1
    try {
      await this.#flush()
      this.#failed = false
      this.#tooOld = false
      this.#ageTimer = stopped(this.#ageTimer)
    } catch (error) {
      this.#failed = true
      this.#waiting ||= waiting
      this.#waitingBytes += bytes
      this.#schedule(this.#limits.retryMillis)
      throw error
    } finally {
      this.#flyingBytes -= bytes
      this.#flying -= 1
      if (this.isBehind) this.#watchAge()
    }
  }

  /** Notes a commit of so many bytes. Resolves at once within the bounds, else when everything is stored. */
  async soon(bytes: number): Promise<void> {
    this.#waiting = true
    this.#waitingBytes += bytes
    this.#watchAge()
    const behind = this.#waitingBytes + this.#flyingBytes
    if (this.#failed || this.#tooOld || behind > this.#limits.maxBytes) return this.now()
    this.#schedule(this.#limits.delayMillis)
  }

  /** No flush begins by itself any more. */
  close(): void {
    this.#timer = stopped(this.#timer)
    this.#ageTimer = stopped(this.#ageTimer)
  }

  #watchAge(): void {
    this.#ageTimer ??= setTimeout(() => (this.#tooOld = true), this.#limits.maxAgeMillis)
  }

  #schedule(millis: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      // The failure was told and is tried again; a commit in between meets it itself.
      this.now().catch(() => undefined)
    }, millis)
  }
}

const stopped = (timer: ReturnType<typeof setTimeout> | null): null => {
  if (timer !== null) clearTimeout(timer)
  return null
}
