/**
 * Everything that can happen to an instance. Clock and random arrive inside the events, so that `transition` stays pure.
 */
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import type { ShapeError } from "../protocol/ShapeError.ts"

export type InstanceEvent =
  /** Ancestors are up to date and there is room: start. */
  | { readonly _tag: "Admitted" }
  /** A part was committed, more is to come. In Refetching: a part was staged. */
  | { readonly _tag: "Accepted"; readonly checkpoint: Checkpoint }
  /** Rows and checkpoint of an up-to-date were committed. In Refetching: the swap was committed. */
  | { readonly _tag: "UpToDate"; readonly checkpoint: Checkpoint }
  /** The handle is void. */
  | { readonly _tag: "MustRefetch" }
  /** The run ended. `terminal` is the retry policy's verdict; `retryAt` (epoch milliseconds) counts only when it is false. */
  | {
      readonly _tag: "Failed"
      readonly error: ShapeError
      readonly terminal: boolean
      readonly retryAt: number
      /** Its rows go with it: whatever comes next starts from the beginning. */
      readonly revoked?: boolean
    }
  /** `retryAt` has passed and the ancestors are up to date. */
  | { readonly _tag: "RetryDue" }
  /** The server answers others again: the wait ends at `at` (epoch milliseconds), its floor, if that is sooner. */
  | { readonly _tag: "RetrySooner"; readonly at: number }
  /** A person, new credentials or a changed parent ask to try again now. */
  | { readonly _tag: "RetryAsked" }
  /** The definition under this key changed. */
  | { readonly _tag: "SpecChanged"; readonly held: boolean }
  /** The first pause reason was set. */
  | { readonly _tag: "Paused" }
  /** The last pause reason was lifted. */
  | { readonly _tag: "Resumed" }
  /** Nobody demands it any more. */
  | { readonly _tag: "Undesired" }
  /** Its source has stopped. */
  | { readonly _tag: "Drained" }
  /** Demanded again while draining. */
  | { readonly _tag: "Desired"; readonly checkpoint: Checkpoint | null; readonly refetch: boolean }

/** What the reconciler must do after a transition. */
export type Command =
  /** Start a source; from where, `resumeFrom(state)` says. */
  | "Start"
  /** Stop the running source, if any. */
  | "Stop"
  /** Forget staged rows of a refetch that starts over. */
  | "DiscardStage"
