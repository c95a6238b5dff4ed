/**
 * How long to wait before trying again. Pure: random is an argument. Full jitter with the server's Retry-After as a floor, so
 * that many clients of one restarted server do not come back at once. Used for instances by the reconciler, for a whole
 * origin by the connection slots.
 */

/** Shortest wait before any repetition: an identical request is never repeated without waiting (I5). */
export const minBackoffMillis = 100

/** Milliseconds to wait before attempt number `attempt` (1 = first failure). `random` in [0, 1). */
export const backoffMillis = (
  attempt: number,
  random: number,
  retryAfterMillis: number,
  config: { readonly backoffBaseMillis: number; readonly backoffCapMillis: number },
): number => {
  const ceiling = Math.min(config.backoffCapMillis, config.backoffBaseMillis * 2 ** Math.min(attempt - 1, 30))
  return Math.max(retryAfterMillis, minBackoffMillis + Math.floor(random * ceiling))
}
