/**
 * What must be true of any instance state, by the numbers of `SPEC.md`. Run after every step in tests; pure.
 */
import type { InstanceState } from "./InstanceState.ts"

/** Broken invariants as sentences; empty when all hold. */
export const brokenInvariants = (state: InstanceState): ReadonlyArray<string> => {
  const broken: Array<string> = []
  if (state.attempt < 0 || !Number.isInteger(state.attempt))
    broken.push("I6: attempt is a whole number from 0")
  if (state._tag === "Live" && state.checkpoint.handle === "")
    broken.push("I4: Live implies a committed up-to-date")
  if (state._tag === "Paused" && (state.previous as InstanceState)._tag === "Paused")
    broken.push("I7: Paused never wraps Paused")
  if (state._tag === "Backoff" && state.attempt === 0) broken.push("I6: a failure counts as an attempt")
  if ((state._tag === "Backoff" || state._tag === "Halted") && state.returnTo.attempt !== state.attempt)
    broken.push("I6: the attempt is kept over a wait")
  if (state._tag === "Pending" && state.refetch && state.checkpoint !== null)
    broken.push("I3: a refetch starts from the beginning")
  return broken
}

/** Throws when an invariant is broken. */
export const assertInvariants = (state: InstanceState): void => {
  const broken = brokenInvariants(state)
  if (broken.length > 0) throw new Error(`${state._tag}: ${broken.join("; ")}`)
}
