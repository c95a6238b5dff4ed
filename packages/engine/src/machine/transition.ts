/**
 * The state machine of one instance: (state, event) → (state, commands). Pure. A pair that is not listed returns the same
 * reference and no command, so that a late or repeated event can never do harm. `SPEC.md` has the table; a test holds
 * both to each other.
 */
import type { Command, InstanceEvent } from "./InstanceEvent.ts"
import {
  type Active,
  type Backoff,
  type Halted,
  type InstanceState,
  isActive,
  type Pausable,
  type Pending,
  pending,
  type Returnable,
  returnable,
} from "./InstanceState.ts"

/** `state` null: the instance is gone. */
export interface Transition {
  readonly state: InstanceState | null
  readonly commands: ReadonlyArray<Command>
}

const to = (state: InstanceState | null, ...commands: ReadonlyArray<Command>): Transition => ({
  state,
  commands,
})

const admitted = (state: Pending): Active => {
  if (state.refetch) return { _tag: "Refetching", attempt: state.attempt }
  return state.checkpoint === null
    ? { _tag: "Initial", attempt: state.attempt }
    : { _tag: "Syncing", attempt: state.attempt, checkpoint: state.checkpoint }
}

const failed = (state: Active, event: Extract<InstanceEvent, { readonly _tag: "Failed" }>): Transition => {
  const attempt = state.attempt + 1
  const returnTo: Returnable = event.revoked
    ? { _tag: "Initial", attempt }
    : { ...returnable(state), attempt }
  const commands: ReadonlyArray<Command> = state._tag === "Refetching" ? ["Stop", "DiscardStage"] : ["Stop"]
  const next: Backoff | Halted = !event.terminal
    ? { _tag: "Backoff", attempt, retryAt: event.retryAt, error: event.error, returnTo }
    : { _tag: "Halted", attempt, error: event.error, returnTo }
  return { state: next, commands }
}

const backToPending = (returnTo: Returnable): Pending => ({
  _tag: "Pending",
  attempt: returnTo.attempt,
  checkpoint: returnTo._tag === "Syncing" ? returnTo.checkpoint : null,
  refetch: returnTo._tag === "Refetching",
})

const fromActive = (state: Active, event: InstanceEvent): Transition | null => {
  switch (event._tag) {
    case "Accepted":
      return state._tag === "Refetching"
        ? null
        : to({ _tag: "Syncing", attempt: state.attempt, checkpoint: event.checkpoint })
    case "UpToDate":
      return to({ _tag: "Live", attempt: 0, checkpoint: event.checkpoint })
    case "MustRefetch":
      if (state._tag === "Initial") return null
      return to(
        { _tag: "Refetching", attempt: state.attempt },
        ...(state._tag === "Refetching" ? (["DiscardStage"] as const) : []),
      )
    case "Failed":
      return failed(state, event)
    default:
      return null
  }
}

const fromWaiting = (state: Backoff | Halted, event: InstanceEvent): Transition | null => {
  if (event._tag === "RetryAsked") return to(backToPending(state.returnTo))
  if (event._tag === "RetrySooner" && state._tag === "Backoff" && event.at < state.retryAt)
    return to({ ...state, retryAt: event.at })
  if (event._tag === "RetryDue" && state._tag === "Backoff") return to(state.returnTo, "Start")
  return null
}

/** Events that mean the same in every state but Draining and Paused. */
const fromAny = (state: Pausable, event: InstanceEvent): Transition | null => {
  const stop: ReadonlyArray<Command> = isActive(state) ? ["Stop"] : []
  switch (event._tag) {
    case "Paused":
      return { state: { _tag: "Paused", attempt: state.attempt, previous: state }, commands: stop }
    case "Undesired":
      return isActive(state) ? to({ _tag: "Draining", attempt: state.attempt }, "Stop") : to(null)
    case "SpecChanged":
      return { state: pending({ checkpoint: null, refetch: event.held }), commands: stop }
    default:
      return null
  }
}

const unchanged = (state: InstanceState): Transition => ({ state, commands: [] })

/** Applies one event. */
export const transition = (state: InstanceState, event: InstanceEvent): Transition => {
  switch (state._tag) {
    case "Draining":
      if (event._tag === "Drained") return to(null)
      return event._tag === "Desired" ? to(pending(event)) : unchanged(state)
    case "Paused":
      if (event._tag === "Resumed")
        return to(state.previous, ...(isActive(state.previous) ? (["Start"] as const) : []))
      if (event._tag === "Undesired") return to(null)
      if (event._tag === "RetryAsked") {
        const previous = transition(state.previous, event).state
        return previous === state.previous
          ? unchanged(state)
          : to({ ...state, previous: previous as Pausable })
      }
      if (event._tag === "SpecChanged")
        return to({ ...state, previous: pending({ checkpoint: null, refetch: event.held }) })
      return unchanged(state)
    case "Pending":
      if (event._tag === "Admitted") return to(admitted(state), "Start")
      return fromAny(state, event) ?? unchanged(state)
    case "Backoff":
    case "Halted":
      return fromAny(state, event) ?? fromWaiting(state, event) ?? unchanged(state)
    case "Initial":
    case "Syncing":
    case "Live":
    case "Refetching":
      return fromAny(state, event) ?? fromActive(state, event) ?? unchanged(state)
  }
}
