/** Makes an `Error` of whatever was thrown, so that a composable's `error` is always one. Pure. */
export const toError = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error(String(cause), { cause })
