/**
 * How much one caller may ask. Exists so that one tab in a loop, or one stolen token, cannot take the shape server from everybody else. The
 * arithmetic of the bucket is pure; `Limiter` keeps one bucket per caller, boundedly many. Called by the handler once the caller is known.
 */

/** Limits per caller (see `subjectOf`). */
export interface LimitOptions {
  /** Requests per second in the long run. Default 100: an engine with four connections makes about fifteen. */
  readonly requestsPerSecond?: number
  /** Requests that may come at once after a rest. Default 400. */
  readonly burst?: number
  /** Requests open at the same time, waiting long polls included. Default 64. */
  readonly concurrent?: number
}

/** {@link LimitOptions} with its defaults. */
export interface Limits {
  readonly requestsPerSecond: number
  readonly burst: number
  readonly concurrent: number
}

export const defaultLimits: Limits = { requestsPerSecond: 100, burst: 400, concurrent: 64 }

/** Callers whose use is remembered; beyond it those that rested longest are forgotten, which only ever favours them. */
export const maxCallers = 10_000

/** What is wrong with the option, as the gateway's start says it. */
export const limitFaults = (options: LimitOptions | undefined): ReadonlyArray<string> =>
  Object.entries(options ?? {})
    .filter(([, value]) => value !== undefined && !(typeof value === "number" && value > 0))
    .map(([name]) => `limits.${name}: must be a positive number`)

/** A caller's bucket. */
export interface Bucket {
  /** Requests left, as of `at`. */
  readonly tokens: number
  /** Milliseconds on the gateway's clock. */
  readonly at: number
}

/** A decision on one request. */
export type Taken =
  | { readonly _tag: "Taken"; readonly bucket: Bucket }
  | { readonly _tag: "Empty"; readonly bucket: Bucket; readonly retryAfterSeconds: number }

/** Takes one request from a bucket. A clock that steps back adds nothing and takes nothing. */
export const take = (limits: Limits, bucket: Bucket | undefined, now: number): Taken => {
  const before = bucket ?? { tokens: limits.burst, at: now }
  const elapsedSeconds = Math.max(0, now - before.at) / 1000
  const tokens = Math.min(limits.burst, before.tokens + elapsedSeconds * limits.requestsPerSecond)
  const at = Math.max(now, before.at)
  if (tokens >= 1) return { _tag: "Taken", bucket: { tokens: tokens - 1, at } }
  const retryAfterSeconds = Math.max(1, Math.ceil((1 - tokens) / limits.requestsPerSecond))
  return { _tag: "Empty", bucket: { tokens, at }, retryAfterSeconds }
}

/** Why a request may not come in, or how to say that it has ended. */
export type Entry =
  | { readonly _tag: "Entered"; readonly leave: () => void }
  | { readonly _tag: "TooMany"; readonly what: "rate" | "concurrent"; readonly retryAfterSeconds: number }

interface Caller {
  bucket: Bucket
  open: number
}

/** The buckets of all callers. One per gateway. */
export class Limiter {
  readonly #limits: Limits
  readonly #callers = new Map<string, Caller>()

  constructor(options: LimitOptions | undefined) {
    this.#limits = { ...defaultLimits, ...options }
  }

  /** Lets a request in, or says when to come again. `leave` may be called more than once. */
  enter(subject: string, now: number): Entry {
    const caller = this.#callers.get(subject) ?? {
      bucket: { tokens: this.#limits.burst, at: now },
      open: 0,
    }
    // Last used last: the first of the map rested longest.
    this.#callers.delete(subject)
    this.#callers.set(subject, caller)
    this.#forget()
    if (caller.open >= this.#limits.concurrent) {
      return { _tag: "TooMany", what: "concurrent", retryAfterSeconds: 1 }
    }
    const taken = take(this.#limits, caller.bucket, now)
    caller.bucket = taken.bucket
    if (taken._tag === "Empty") {
      return { _tag: "TooMany", what: "rate", retryAfterSeconds: taken.retryAfterSeconds }
    }
    caller.open += 1
    let left = false
    const leave = (): void => {
      if (left) return
      left = true
      caller.open -= 1
    }
    return { _tag: "Entered", leave }
  }

  #forget(): void {
    if (this.#callers.size <= maxCallers) return
    for (const [subject, caller] of this.#callers) {
      if (caller.open > 0) continue
      this.#callers.delete(subject)
      if (this.#callers.size <= maxCallers) return
    }
  }
}
