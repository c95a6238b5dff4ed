/**
 * States of one instance as immutable values. Exists so that "where does this instance stand?" has one answer that can be
 * tested, printed and compared. No clock, no random, no I/O; the reconciler owns all of those.
 *
 * ```
 *             Admitted            Accepted           UpToDate
 *  Pending ──────────▶ Initial ────────────▶ Syncing ────────▶ Live ◀─┐ UpToDate
 *     │  └──(checkpoint)─────────────────────▶  │               │ └───┘
 *     │  └──(refetch)──▶ Refetching ◀──MustRefetch──────────────┘
 *     │                    │ UpToDate (swap) ─▶ Live
 *     │       Failed, transient: Initial, Syncing, Live, Refetching ─▶ Backoff ──RetryDue──▶ back
 *     │       Failed, terminal:  ────────────────────────────────────▶ Halted ──RetryAsked─▶ Pending
 *     ▼       Paused wraps any state but Draining; the last Resumed gives it back, the same value
 *   (gone)    Undesired ─▶ Draining ──Drained──▶ (gone)
 * ```
 */
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import type { ShapeError } from "../protocol/ShapeError.ts"

/** Desired, not started: an ancestor is not up to date, or too many first snapshots run. */
export interface Pending {
  readonly _tag: "Pending"
  readonly attempt: number
  /** Where to resume; null starts from the beginning. */
  readonly checkpoint: Checkpoint | null
  /** Old rows are readable and must be replaced beside, not appended to. */
  readonly refetch: boolean
}

/** First request in flight; nothing of this instance is stored. */
export interface Initial {
  readonly _tag: "Initial"
  readonly attempt: number
}

/** Handle known, catching up. */
export interface Syncing {
  readonly _tag: "Syncing"
  readonly attempt: number
  readonly checkpoint: Checkpoint
}

/** An up-to-date was committed; its rows are readable. */
export interface Live {
  readonly _tag: "Live"
  /** Always 0: a committed up-to-date is what resets it (I6). */
  readonly attempt: 0
  readonly checkpoint: Checkpoint
}

/** The handle is void; old rows are served, new ones are staged. */
export interface Refetching {
  readonly _tag: "Refetching"
  readonly attempt: number
}

/** States in which a source runs. */
export type Active = Initial | Syncing | Live | Refetching

/** What an active state becomes after an interruption. Never Live: it is no longer known to be up to date. */
export type Returnable = Initial | Syncing | Refetching

/** A transient failure is being waited out. */
export interface Backoff {
  readonly _tag: "Backoff"
  readonly attempt: number
  /** Epoch milliseconds. */
  readonly retryAt: number
  readonly error: ShapeError
  readonly returnTo: Returnable
}

/** A terminal failure: only a new spec or a person can clear it. */
export interface Halted {
  readonly _tag: "Halted"
  readonly attempt: number
  readonly error: ShapeError
  readonly returnTo: Returnable
}

/** Held by named reasons (kept by the pause lock); never wraps another Paused. */
export interface Paused {
  readonly _tag: "Paused"
  readonly attempt: number
  readonly previous: Pausable
}

/** No longer desired; the source is being stopped. */
export interface Draining {
  readonly _tag: "Draining"
  readonly attempt: number
}

export type Pausable = Pending | Active | Backoff | Halted
export type InstanceState = Pausable | Paused | Draining

/** Whether a source should be running in this state. */
export const isActive = (state: InstanceState): state is Active =>
  state._tag === "Initial" || state._tag === "Syncing" || state._tag === "Live" || state._tag === "Refetching"

/** Where a source started in this state resumes from; null for the beginning. */
export const resumeFrom = (state: Active): Checkpoint | null =>
  state._tag === "Syncing" || state._tag === "Live" ? state.checkpoint : null

/** What an interrupted active state goes back to. */
export const returnable = (state: Active): Returnable =>
  state._tag === "Live" ? { _tag: "Syncing", attempt: 0, checkpoint: state.checkpoint } : state

/** The state an instance enters when it becomes desired. */
export const pending = (held: {
  readonly checkpoint: Checkpoint | null
  readonly refetch: boolean
}): Pending => ({
  _tag: "Pending",
  attempt: 0,
  checkpoint: held.checkpoint,
  refetch: held.refetch,
})
