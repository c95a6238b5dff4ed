/**
 * When a failed instance tries again, and whether it may at all. Pure: time and random are arguments. Full jitter with the
 * server's Retry-After as a floor, so that many clients of one restarted server do not come back at once.
 */
import type { EngineConfigShape } from "../ports/EngineConfig.ts"
import type { ShapeError } from "../protocol/ShapeError.ts"

/** Denials this soon after the demanding row arrived are retried: the gateway may not see the new row yet. */
export const denialGraceMillis = 5_000

/** At most this many denials are waited out. */
export const maxGraceDenials = 4

/** Shortest wait before any repetition: an identical request is never repeated without waiting (I5). */
export const minBackoffMillis = 100

/** Milliseconds to wait before attempt number `attempt` (1 = first failure). `random` in [0, 1). */
export const backoffMillis = (
  attempt: number,
  random: number,
  retryAfterMillis: number,
  config: Pick<EngineConfigShape, "backoffBaseMillis" | "backoffCapMillis">,
): number => {
  const ceiling = Math.min(config.backoffCapMillis, config.backoffBaseMillis * 2 ** Math.min(attempt - 1, 30))
  return Math.max(retryAfterMillis, minBackoffMillis + Math.floor(random * ceiling))
}

/** Whether only a new spec, new credentials or a person can clear this failure. */
export const isTerminal = (
  error: ShapeError,
  context: { readonly desiredForMillis: number; readonly attempt: number },
): boolean => {
  if (error.retryable) return false
  const denied = error.reason._tag === "Forbidden" && error.reason.revoked
  return !(denied && context.desiredForMillis < denialGraceMillis && context.attempt < maxGraceDenials)
}
