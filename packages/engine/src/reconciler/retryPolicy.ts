/** Whether a failed instance may try again by itself. Pure; how long it waits first is `protocol/backoff.ts`. */
import type { ShapeError } from "../protocol/ShapeError.ts"

export { backoffMillis, minBackoffMillis } from "../protocol/backoff.ts"

/** Denials this soon after the demanding row arrived are retried: the gateway may not see the new row yet. */
export const denialGraceMillis = 5_000

/** At most this many denials are waited out. */
export const maxGraceDenials = 4

/** Whether only a new spec, new credentials or a person can clear this failure. */
export const isTerminal = (
  error: ShapeError,
  context: { readonly desiredForMillis: number; readonly attempt: number },
): boolean => {
  if (error.retryable) return false
  const denied = error.reason._tag === "Forbidden" && error.reason.revoked
  return !(denied && context.desiredForMillis < denialGraceMillis && context.attempt < maxGraceDenials)
}
