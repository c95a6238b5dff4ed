/**
 * The requests that are open now. Exists because a long poll may wait for twenty seconds and an event stream for ever, and neither may outlive
 * the caller's token or right: each can be asked again, or ended with a refusal that its client understands. One per gateway; called by the handler.
 */
import { means, type Question, type RevokeTarget } from "./decisions.ts"
import type { Refusal } from "./authorize.ts"

/** The longest delay that `setTimeout` keeps (25 days); longer ones would fire at once, and no request is open that long. */
const maxTimerMillis = 2_147_483_647

/** An open request. */
export interface Wait {
  /** Aborted with the refusal as its reason. */
  readonly signal: AbortSignal
  /** Its answer has begun: closing lets it finish. */
  readonly answered: () => void
  /** It has ended; nothing of it stays. May be called more than once. */
  readonly leave: () => void
}

interface Open {
  readonly question: Question
  readonly end: (refusal: Refusal) => void
  readonly again: () => Promise<Refusal | null>
  answered: boolean
}

/** What a new wait is about. */
export interface WaitOptions {
  readonly question: Question
  /** Milliseconds until the caller's credentials expire; null when they do not. */
  readonly expiresInMillis: number | null
  /** What it ends with then. */
  readonly expired: Refusal
  /** Asks the caller's identity and rule again: a refusal when the request may not go on. */
  readonly again: () => Promise<Refusal | null>
}

/** All open requests. */
export class Waits {
  readonly #open = new Set<Open>()
  #idle: Array<() => void> = []

  get size(): number {
    return this.#open.size
  }

  open({ again, expired, expiresInMillis, question }: WaitOptions): Wait {
    const controller = new AbortController()
    const end = (refusal: Refusal): void => {
      if (!controller.signal.aborted) controller.abort(refusal)
    }
    const entry: Open = { question, end, again, answered: false }
    this.#open.add(entry)
    const timer =
      expiresInMillis === null || expiresInMillis > maxTimerMillis
        ? undefined
        : setTimeout(() => end(expired), Math.max(0, expiresInMillis))
    const leave = (): void => {
      clearTimeout(timer)
      if (!this.#open.delete(entry) || this.#open.size > 0) return
      const idle = this.#idle
      this.#idle = []
      for (const done of idle) done()
    }
    return { signal: controller.signal, answered: () => void (entry.answered = true), leave }
  }

  /** Asks again for every open request that the target means, and ends those that may not go on. Returns how many. */
  async recheck(target: RevokeTarget): Promise<number> {
    const meant = [...this.#open].filter(({ question }) => means(target, question))
    const verdicts = await Promise.all(
      meant.map(async ({ again, end }) => {
        const refused = await again()
        if (refused !== null) end(refused)
        return refused !== null
      }),
    )
    return verdicts.filter(Boolean).length
  }

  /** Ends every request whose answer has not begun. */
  endWaiting(refusal: Refusal): void {
    for (const { answered, end } of this.#open) if (!answered) end(refusal)
  }

  /** Ends every open request. */
  endAll(refusal: Refusal): void {
    for (const { end } of this.#open) end(refusal)
  }

  /** Resolves once nothing is open. */
  idle(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }
}
