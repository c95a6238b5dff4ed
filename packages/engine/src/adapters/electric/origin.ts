/**
 * How the origin behind a source fares, and how many requests it may be sent now: one circuit breaker, one `Retry-After` floor and
 * one request budget for all instances together. Exists because a thousand instances that each retry politely are a storm. Pure;
 * `ConnectionSlots` owns the one value and brings time, random and the outcome of each request.
 *
 *   closed ──`breakerFailures` failures in a row, or Retry-After──▶ open ──its time is over──▶ half-open: one probe
 *      ▲                                                            ▲  └──────────────────────────┤ fails: a longer wait
 *      └────────────────── the probe is answered ───────────────────┼─────────────────────────────┘
 *
 * After two failures in a row, or one with Retry-After, the budget holds (`recoveryRequestsPerSecond`, evenly spaced) until every running instance has been answered once.
 * A healthy origin has no budget: its connections limit it. Times are monotonic milliseconds.
 */
import { backoffMillis } from "../../protocol/backoff.ts"
import type { EngineConfigShape } from "../../ports/EngineConfig.ts"

export type OriginLimits = Pick<
  EngineConfigShape,
  "breakerFailures" | "breakerCapMillis" | "backoffBaseMillis" | "recoveryRequestsPerSecond"
>

export interface OriginState {
  /** Failures in a row. */
  readonly failures: number
  /** How often the breaker opened since the last answer; 0 while it is closed. */
  readonly openings: number
  /** Nothing is sent before. */
  readonly openUntil: number
  /** Until then it is the server that asked for it. */
  readonly askedUntil: number
  /** The ticket that tries out a half-open breaker. */
  readonly probe: number | null
  /** Running instances that are still to be answered until the budget is lifted; 0 while there is none. */
  readonly owed: number
  /** When the last request was sent under the budget. */
  readonly sentAt: number
}

export type OriginEvent =
  /** A ticket was granted: its request goes out now. */
  | { readonly _tag: "Sent"; readonly id: number }
  /** The origin answered, whatever it said; `left` running instances have not been answered since its last failure. */
  | { readonly _tag: "Answered"; readonly left: number }
  /** No answer, or one that asks for patience (429, 5xx). `random` in [0, 1). */
  | {
      readonly _tag: "Failed"
      readonly retryAfterMillis: number
      readonly random: number
      readonly lanes: number
    }
  /** The ticket ended and nobody learnt anything. */
  | { readonly _tag: "Returned"; readonly id: number }

export const healthyOrigin: OriginState = {
  failures: 0,
  openings: 0,
  openUntil: 0,
  askedUntil: 0,
  probe: null,
  owed: 0,
  sentAt: Number.NEGATIVE_INFINITY,
}

/** How many requests may be sent now, and when to ask again (null: after the next event). */
export const allowance = (
  state: OriginState,
  now: number,
  limits: OriginLimits,
): { readonly grants: number; readonly at: number | null } => {
  if (now < state.openUntil) return { grants: 0, at: state.openUntil }
  if (state.owed === 0) return { grants: Infinity, at: null }
  if (state.openings > 0 && state.probe !== null) return { grants: 0, at: null }
  // Spaced, not in bursts: a server that just came back meets an even load.
  const next = state.sentAt + 1_000 / Math.max(1, limits.recoveryRequestsPerSecond)
  return now < next ? { grants: 0, at: next } : { grants: 1, at: null }
}

/** What holds requests back now, and for how long (null: until the probe ends); null when nothing does. */
export const gateOf = (
  state: OriginState,
  now: number,
  limits: OriginLimits,
): {
  readonly gate: "retry-after" | "breaker" | "probe" | "budget"
  readonly millis: number | null
} | null => {
  if (now < state.openUntil)
    return { gate: now < state.askedUntil ? "retry-after" : "breaker", millis: state.openUntil - now }
  const { at, grants } = allowance(state, now, limits)
  if (grants > 0) return null
  return at === null ? { gate: "probe", millis: null } : { gate: "budget", millis: at - now }
}

const failed = (
  state: OriginState,
  event: Extract<OriginEvent, { readonly _tag: "Failed" }>,
  now: number,
  limits: OriginLimits,
): OriginState => {
  const failures = state.failures + 1
  const asked = event.retryAfterMillis > 0
  // A request sent before the breaker opened says nothing new when it fails after.
  const trips = now >= state.openUntil && (state.openings > 0 || failures >= limits.breakerFailures)
  const openings = trips ? state.openings + 1 : Math.max(state.openings, asked ? 1 : 0)
  const wait = trips
    ? backoffMillis(openings, event.random, event.retryAfterMillis, {
        backoffBaseMillis: limits.backoffBaseMillis,
        backoffCapMillis: limits.breakerCapMillis,
      })
    : event.retryAfterMillis
  return {
    ...state,
    failures,
    openings,
    openUntil: asked || trips ? Math.max(state.openUntil, now + wait) : state.openUntil,
    askedUntil: asked ? Math.max(state.askedUntil, now + event.retryAfterMillis) : state.askedUntil,
    probe: trips || asked ? null : state.probe,
    // One shape that fails among many that do not is no reason to slow the others down.
    owed: failures > 1 || asked || trips ? event.lanes + 1 : state.owed,
  }
}

/** Applies one event. */
export const stepOrigin = (
  state: OriginState,
  event: OriginEvent,
  now: number,
  limits: OriginLimits,
): OriginState => {
  switch (event._tag) {
    case "Sent":
      if (state.owed === 0) return state
      return {
        ...state,
        probe: state.openings > 0 ? event.id : state.probe,
        sentAt: now,
      }
    case "Answered": {
      if (state.owed === 0) return state.failures === 0 ? state : { ...state, failures: 0 }
      const owed = event.left
      // A floor the server asked for stands, whatever it still answers to earlier requests.
      if (now < state.openUntil) return { ...state, owed: Math.max(1, owed) }
      return { ...state, failures: 0, openings: 0, probe: null, owed }
    }
    case "Failed":
      return failed(state, event, now, limits)
    case "Returned":
      return state.probe === event.id ? { ...state, probe: null } : state
  }
}
