/**
 * How a share is really to be applied, given what the store holds. Exists because a handle that changes without a
 * must-refetch is a must-refetch (design §5.4): rows of a new handle are never laid over rows of an old one. Pure.
 */
import type { InstanceCommit } from "../../ports/LocalStore.ts"

/** What a store knows of an instance when a share arrives. */
export interface HeldState {
  readonly hash: string
  /** Null when the readable rows are void as a starting point. */
  readonly handle: string | null
  readonly complete: boolean
  readonly rows: number
  /** A refetch is staged beside the readable rows, under `stageHandle`. */
  readonly staging: boolean
  readonly stageHandle: string | null
  readonly offset: string | null
  /** The last share was the end of a refetch that had been staged before: only its rest is in that share. */
  readonly swapped: boolean
}

/** The mode to apply: an `append` that does not continue the readable rows is part of a refetch. */
export const effectiveMode = (held: HeldState | null, share: InstanceCommit): InstanceCommit["mode"] => {
  if (share.mode !== "append" || held === null) return share.mode
  const continues =
    !held.staging && held.handle === share.checkpoint.handle && held.hash === share.instance.hash
  const empty = !held.staging && held.rows === 0 && !held.complete
  if (continues || empty) return "append"
  return share.upToDate ? "swap" : "stage"
}

/** The share goes on with the refetch that is staged already; otherwise the stage starts empty. */
export const continuesStage = (
  held: Pick<HeldState, "hash" | "staging" | "stageHandle">,
  share: InstanceCommit,
): boolean =>
  held.staging && held.stageHandle === share.checkpoint.handle && held.hash === share.instance.hash

/**
 * The swap was committed already, and its answer was lost. Applied again without the stage it finished, it would take the
 * rest of a refetch for the whole.
 */
export const repeatsSwap = (held: HeldState, share: InstanceCommit): boolean =>
  share.mode === "swap" &&
  held.swapped &&
  !held.staging &&
  held.hash === share.instance.hash &&
  held.handle === share.checkpoint.handle &&
  held.offset === share.checkpoint.offset
