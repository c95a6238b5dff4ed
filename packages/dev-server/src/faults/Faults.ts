/**
 * The faults in force on one server, and the stale answers they give again. Decides which faults a request meets; what is
 * then done to the answer is `http/faulty.ts`. Empty unless somebody adds one.
 */
import type { Fault } from "./Fault.ts"

/** What faults look at in a request. */
export interface FaultTarget {
  readonly table: string | null
  readonly handle: string | null
  readonly isLive: boolean
}

/** A fault in force. */
export interface ActiveFault extends Fault {
  readonly id: string
  /** How often it has happened. */
  readonly happened: number
}

/** An answer as a cache keeps it. */
export interface KeptAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Bytes of bodies kept for stale answers at most; the oldest go first. */
const maxKeptBytes = 64 * 1024 * 1024

/** The faults of one server. */
export class Faults {
  readonly #active = new Map<string, Fault & { readonly id: string; happened: number }>()
  readonly #kept = new Map<string, KeptAnswer>()
  #keptBytes = 0
  #lastId = 0

  /** Puts a fault in force. */
  add(fault: Fault): ActiveFault {
    this.#lastId += 1
    const active = { ...fault, id: String(this.#lastId), happened: 0 }
    this.#active.set(active.id, active)
    return active
  }

  list(): ReadonlyArray<ActiveFault> {
    return [...this.#active.values()]
  }

  /** Ends one fault; false where there is none of that id. Stale answers go with the last fault that gives them. */
  remove(id: string): boolean {
    const isKnown = this.#active.delete(id)
    if (![...this.#active.values()].some(({ kind }) => kind === "stale")) this.#forget()
    return isKnown
  }

  /** Ends all faults. */
  clear(): void {
    this.#active.clear()
    this.#forget()
  }

  /** The faults a request meets: all delays, and the first of the others. `chance` answers a number from 0 to 1. */
  meet(target: FaultTarget, chance: () => number): ReadonlyArray<Fault> {
    if (this.#active.size === 0) return []
    const met: Array<Fault> = []
    for (const fault of this.#active.values()) {
      const isSecond = fault.kind !== "latency" && met.some(({ kind }) => kind !== "latency")
      if (isSecond || !concerns(fault, target) || (fault.rate < 1 && chance() >= fault.rate)) continue
      fault.happened += 1
      met.push(fault)
      if (fault.times !== null && fault.happened >= fault.times) this.remove(fault.id)
    }
    return met
  }

  /** The answer kept for a URL. */
  kept(url: string): KeptAnswer | undefined {
    return this.#kept.get(url)
  }

  /** Keeps the answer of a URL. */
  keep(url: string, answer: KeptAnswer): void {
    this.#kept.set(url, answer)
    this.#keptBytes += answer.body.byteLength
    for (const [oldest, { body }] of this.#kept) {
      if (this.#keptBytes <= maxKeptBytes) return
      this.#kept.delete(oldest)
      this.#keptBytes -= body.byteLength
    }
  }

  #forget(): void {
    this.#kept.clear()
    this.#keptBytes = 0
  }
}

const concerns = (fault: Fault, target: FaultTarget): boolean =>
  (fault.table === null || fault.table === target.table) &&
  (fault.handle === null || fault.handle === target.handle) &&
  (fault.live === null || fault.live === target.isLive)
