/**
 * Time that jumps: a clock whose sleepers are woken in order, each as soon as everything before it has been dealt with. A
 * scenario of minutes runs in seconds and is the same on a slow machine. Counts what is still asleep, so that a leak shows.
 */
import { type Clock, Duration, Effect } from "effect"

interface Sleeper {
  readonly at: number
  readonly order: number
  readonly wake: () => void
}

const startedAt = Date.UTC(2026, 0, 1)

export class VirtualTime {
  now = startedAt
  #sleepers: Array<Sleeper> = []
  #order = 0

  /** Timers that have not gone off and were not given up. */
  get asleep(): number {
    return this.#sleepers.length
  }

  /** Wakes after so many milliseconds; returns how to give that up. */
  after(millis: number, wake: () => void): () => void {
    const sleeper: Sleeper = { at: this.now + Math.max(0, millis), order: this.#order++, wake }
    this.#sleepers.push(sleeper)
    return () => {
      this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
    }
  }

  readonly clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => this.now,
    currentTimeMillis: Effect.sync(() => this.now),
    currentTimeNanosUnsafe: () => BigInt(Math.round(this.now * 1e6)),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(this.now * 1e6))),
    monotonicTimeNanosUnsafe: () => BigInt(Math.round((this.now - startedAt) * 1e6)),
    monotonicTimeNanos: Effect.sync(() => BigInt(Math.round((this.now - startedAt) * 1e6))),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const giveUp = this.after(Duration.toMillis(duration), () => resume(Effect.void))
        return Effect.sync(giveUp)
      }),
  }

  /** Lets time pass until the condition holds, or for so many milliseconds. Returns whether it held. */
  async run(millis: number, until: () => boolean = () => false): Promise<boolean> {
    const end = this.now + millis
    for (;;) {
      await settle()
      if (until()) return true
      const next = this.#next()
      if (next === undefined || next.at > end) break
      this.#sleepers = this.#sleepers.filter((other) => other !== next)
      this.now = Math.max(this.now, next.at)
      next.wake()
    }
    this.now = end
    return until()
  }

  #next(): Sleeper | undefined {
    let first: Sleeper | undefined
    for (const sleeper of this.#sleepers)
      if (
        first === undefined ||
        sleeper.at < first.at ||
        (sleeper.at === first.at && sleeper.order < first.order)
      )
        first = sleeper
    return first
  }
}

/** Turns of the event loop after which everything that was ready has run: fetches, body readers and fibers take a few each. */
const turns = 12

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
