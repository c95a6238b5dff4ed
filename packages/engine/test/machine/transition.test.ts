import { describe, expect, it } from "@effect/vitest"
import type { InstanceEvent } from "../../src/machine/InstanceEvent.ts"
import type { InstanceState, Pausable } from "../../src/machine/InstanceState.ts"
import { assertInvariants } from "../../src/machine/invariants.ts"
import { transition } from "../../src/machine/transition.ts"
import { Forbidden, Network, ShapeError } from "../../src/protocol/ShapeError.ts"

const checkpoint = { handle: "h", offset: "5_0" }
const later = { handle: "h", offset: "9_0" }
const network = new ShapeError({ key: "k", reason: new Network({ message: "refused" }) })
const forbidden = new ShapeError({ key: "k", reason: new Forbidden({ revoked: false, message: "no" }) })

const states = {
  Pending: { _tag: "Pending", attempt: 0, checkpoint: null, refetch: false },
  "Pending(held)": { _tag: "Pending", attempt: 2, checkpoint, refetch: false },
  "Pending(refetch)": { _tag: "Pending", attempt: 0, checkpoint: null, refetch: true },
  Initial: { _tag: "Initial", attempt: 1 },
  Syncing: { _tag: "Syncing", attempt: 1, checkpoint },
  Live: { _tag: "Live", attempt: 0, checkpoint },
  Refetching: { _tag: "Refetching", attempt: 1 },
  Backoff: {
    _tag: "Backoff",
    attempt: 2,
    retryAt: 100,
    error: network,
    returnTo: { _tag: "Syncing", attempt: 2, checkpoint },
  },
  Halted: {
    _tag: "Halted",
    attempt: 1,
    error: forbidden,
    returnTo: { _tag: "Refetching", attempt: 1 },
  },
  Paused: { _tag: "Paused", attempt: 0, previous: { _tag: "Live", attempt: 0, checkpoint } },
  "Paused(halted)": {
    _tag: "Paused",
    attempt: 1,
    previous: { _tag: "Halted", attempt: 1, error: forbidden, returnTo: { _tag: "Refetching", attempt: 1 } },
  },
  Draining: { _tag: "Draining", attempt: 1 },
} as const satisfies Record<string, InstanceState>

const events = {
  Admitted: { _tag: "Admitted" },
  Accepted: { _tag: "Accepted", checkpoint: later },
  UpToDate: { _tag: "UpToDate", checkpoint: later },
  MustRefetch: { _tag: "MustRefetch" },
  "Failed(transient)": { _tag: "Failed", error: network, terminal: false, retryAt: 700 },
  "Failed(terminal)": { _tag: "Failed", error: forbidden, terminal: true, retryAt: 700 },
  "Failed(revoked)": { _tag: "Failed", error: forbidden, terminal: true, retryAt: 700, revoked: true },
  RetryDue: { _tag: "RetryDue" },
  RetrySooner: { _tag: "RetrySooner", at: 50 },
  RetryAsked: { _tag: "RetryAsked" },
  SpecChanged: { _tag: "SpecChanged", held: true },
  Paused: { _tag: "Paused" },
  Resumed: { _tag: "Resumed" },
  Undesired: { _tag: "Undesired" },
  Drained: { _tag: "Drained" },
  Desired: { _tag: "Desired", checkpoint, refetch: false },
} as const satisfies Record<string, InstanceEvent>

type StateName = keyof typeof states
type EventName = keyof typeof events

/** `same`: the same reference and no command. Otherwise "NewState [commands]". */
type Cell = "same" | `${string} [${string}]`
const table: Record<StateName, Record<EventName, Cell>> = {
  Pending: row({
    Admitted: "Initial [Start]",
    SpecChanged: "Pending []",
    Paused: "Paused []",
    Undesired: "gone []",
  }),
  "Pending(held)": row({
    Admitted: "Syncing [Start]",
    SpecChanged: "Pending []",
    Paused: "Paused []",
    Undesired: "gone []",
  }),
  "Pending(refetch)": row({
    Admitted: "Refetching [Start]",
    SpecChanged: "Pending []",
    Paused: "Paused []",
    Undesired: "gone []",
  }),
  Initial: active({ Accepted: "Syncing []", UpToDate: "Live []" }),
  Syncing: active({ Accepted: "Syncing []", UpToDate: "Live []", MustRefetch: "Refetching []" }),
  Live: active({ Accepted: "Syncing []", UpToDate: "Live []", MustRefetch: "Refetching []" }),
  Refetching: active({
    UpToDate: "Live []",
    MustRefetch: "Refetching [DiscardStage]",
    "Failed(transient)": "Backoff [Stop DiscardStage]",
    "Failed(terminal)": "Halted [Stop DiscardStage]",
    "Failed(revoked)": "Halted [Stop DiscardStage]",
  }),
  Backoff: row({
    RetryDue: "Syncing [Start]",
    RetrySooner: "Backoff []",
    RetryAsked: "Pending []",
    SpecChanged: "Pending []",
    Paused: "Paused []",
    Undesired: "gone []",
  }),
  Halted: row({
    RetryAsked: "Pending []",
    SpecChanged: "Pending []",
    Paused: "Paused []",
    Undesired: "gone []",
  }),
  Paused: row({ SpecChanged: "Paused []", Resumed: "Live [Start]", Undesired: "gone []" }),
  "Paused(halted)": row({
    RetryAsked: "Paused []",
    SpecChanged: "Paused []",
    Resumed: "Halted []",
    Undesired: "gone []",
  }),
  Draining: row({ Drained: "gone []", Desired: "Pending []" }),
}

function row(cells: Partial<Record<EventName, Cell>>): Record<EventName, Cell> {
  const full = Object.fromEntries(Object.keys(events).map((name) => [name, "same"])) as Record<
    EventName,
    Cell
  >
  return { ...full, ...cells }
}

function active(cells: Partial<Record<EventName, Cell>>): Record<EventName, Cell> {
  return row({
    "Failed(transient)": "Backoff [Stop]",
    "Failed(terminal)": "Halted [Stop]",
    "Failed(revoked)": "Halted [Stop]",
    SpecChanged: "Pending [Stop]",
    Paused: "Paused [Stop]",
    Undesired: "Draining [Stop]",
    ...cells,
  })
}

describe("transition", () => {
  for (const [stateName, state] of Object.entries(states) as Array<[StateName, InstanceState]>)
    for (const [eventName, event] of Object.entries(events) as Array<[EventName, InstanceEvent]>)
      it(`takes ${stateName} on ${eventName} to ${table[stateName][eventName]}`, () => {
        const result = transition(state, event)
        if (table[stateName][eventName] === "same") {
          expect(result.state).toBe(state)
          expect(result.commands).toEqual([])
          return
        }
        expect(`${result.state?._tag ?? "gone"} [${result.commands.join(" ")}]`).toBe(
          table[stateName][eventName],
        )
        if (result.state !== null) assertInvariants(result.state)
      })

  it("gives back the identical state after a pause (I7)", () => {
    for (const state of Object.values(states) as Array<InstanceState>) {
      if (state._tag === "Paused" || state._tag === "Draining") continue
      const paused = transition(state as Pausable, { _tag: "Paused" }).state
      expect(paused?._tag).toBe("Paused")
      expect(transition(paused!, { _tag: "Resumed" }).state).toBe(state)
    }
  })

  it("counts attempts up over failures and back to 0 only at a committed up-to-date (I6)", () => {
    let state: InstanceState = states.Initial
    for (let attempt = 2; attempt < 6; attempt++) {
      state = transition(state, events["Failed(transient)"]).state!
      expect(state.attempt).toBe(attempt)
      state = transition(state, events.RetryDue).state!
      state = transition(state, { _tag: "Accepted", checkpoint }).state!
      expect(state.attempt).toBe(attempt)
    }
    expect(transition(state, events.UpToDate).state).toMatchObject({ _tag: "Live", attempt: 0 })
  })

  it("starts what was revoked from the beginning, since its rows are gone", () => {
    for (const name of ["Initial", "Syncing", "Live", "Refetching"] as const) {
      const halted = transition(states[name], events["Failed(revoked)"]).state!
      expect(transition(halted, events.RetryAsked).state).toMatchObject({
        _tag: "Pending",
        checkpoint: null,
        refetch: false,
      })
    }
  })

  it("shortens a wait and never lengthens it", () => {
    expect(transition(states.Backoff, events.RetrySooner).state).toMatchObject({
      _tag: "Backoff",
      retryAt: 50,
    })
    expect(transition(states.Backoff, { _tag: "RetrySooner", at: 100 }).state).toBe(states.Backoff)
  })

  it("takes a retry during a pause to the state inside", () => {
    const paused = transition(states["Paused(halted)"], events.RetryAsked).state!
    expect(transition(paused, events.Resumed).state).toMatchObject({ _tag: "Pending", refetch: true })
    expect(transition(states.Paused, events.RetryAsked).state).toBe(states.Paused)
  })

  it("resumes a failed Live from its checkpoint and claims no longer to be live (I4)", () => {
    const failed = transition(states.Live, events["Failed(transient)"]).state!
    expect(transition(failed, events.RetryDue).state).toEqual({ _tag: "Syncing", attempt: 1, checkpoint })
  })
})
