/**
 * Who may have a request open. Exists because a browser gives one origin six connections on HTTP/1.1 and every live shape
 * wants one for ever. Pure: (state, event) → state and actions; the timers and requests are in `ConnectionSlots.ts`.
 *
 *   join ──▶ waiting ──Grant──▶ unanswered ──answered──▶ answered ──leave──▶ gone
 *                                   │ slice over, others wait, live
 *                                   └──Cut──▶ leave, join again
 *
 * Order of service: requests that are not live (catch-ups, first snapshots) before long polls, except that after `maxStreak` of
 * them in a row a waiting poll is served. Among polls each of the two classes, leased and background, has half of the connections
 * while it needs them, and leased polls keep a quarter (of several) while catch-ups wait; those that need no more are left alone.
 * While the origin recovers, leased lanes that have not been answered since come before all others.
 * Within a class by turn (leased catch-ups up to `leasedLead` turns ahead), then priority, then arrival. A lane (one running instance)
 * that was served in this turn waits for the next.
 *
 * Stated bounds, with L leased and B background lanes on k connections and slices of s: while no catch-ups wait, a leased lane is
 * served again within `(ceil(2L / k) + 1) · s`, a background lane within `(ceil(2B / k) + 1) · s`; while they do, a leased one within
 * `(ceil(L / max(1, floor(k / 4))) + 1) · s` when k > 1. Alone, a class of N equal lanes has each served within `ceil(N / k) · s`, and
 * within twice that whatever their priorities are.
 *
 * Invariants: open ≤ max; nobody waits while a slot is free and a grant is allowed; a request whose answer has begun is never cut; no
 * more polls are being cut than could be replaced.
 */

import { nextTicket, pollsToCut } from "./slotOrder.ts"

export { maxStreak } from "./slotOrder.ts"

export interface Ticket {
  readonly id: number
  /** The running instance it belongs to. */
  readonly lane: number
  readonly live: boolean
  /** Somebody looks at what it brings. */
  readonly leased: boolean
  readonly priority: number
  readonly turn: number
}

export interface OpenTicket extends Ticket {
  readonly answered: boolean
  readonly sliceOver: boolean
  readonly cut: boolean
}

/** Turns of the classes (leased polls, background polls, everything else): the newest served, or the last a lane took. */
export interface Turns {
  readonly leased: number
  readonly live: number
  readonly other: number
}

export interface SlotState {
  readonly max: number
  readonly nextId: number
  readonly open: ReadonlyArray<OpenTicket>
  readonly waiting: ReadonlyArray<Ticket>
  /** The newest turn served. */
  readonly current: Turns
  /** Grants in a row to requests that are not live while a poll waited. */
  readonly streak: number
  /** The class of polls that was served last. */
  readonly leasedLast: boolean
  /** Grants that may still be given; the origin's state sets it. */
  readonly allowed: number
  /** Lanes that were answered since the origin's last failure, as the table knows them; null while it is not recovering. */
  readonly recovered: ReadonlySet<number> | null
}

export type SlotEvent =
  | {
      readonly _tag: "Join"
      readonly lane: number
      readonly live: boolean
      readonly leased?: boolean
      readonly priority: number
      /** The turns the lane took before; the step says what to keep. */
      readonly taken?: Turns
    }
  | { readonly _tag: "Answered"; readonly id: number }
  | { readonly _tag: "SliceOver"; readonly id: number }
  | { readonly _tag: "Leave"; readonly id: number }
  /** A lane became leased, or no longer is. */
  | { readonly _tag: "Prefer"; readonly lane: number; readonly leased: boolean; readonly taken?: Turns }
  | { readonly _tag: "Allow"; readonly grants: number; readonly recovered?: ReadonlySet<number> | null }
  /** The host slept: what is open is taken for dead, and asked again in turn. */
  | { readonly _tag: "Distrust" }

export type SlotAction =
  | { readonly _tag: "Grant"; readonly id: number }
  /** The poll must abort its request and join again. */
  | { readonly _tag: "Cut"; readonly id: number }

export interface SlotStep {
  readonly state: SlotState
  readonly actions: ReadonlyArray<SlotAction>
  /** Of a `Join`: what the lane is to bring along next time. The state keeps no memory of lanes, of which there may be thousands. */
  readonly taken?: Turns
}

const noTurns: Turns = { leased: 0, live: 0, other: 0 }

const classOf = (ticket: { readonly live: boolean; readonly leased: boolean }): keyof Turns =>
  ticket.live ? (ticket.leased ? "leased" : "live") : "other"

export const makeSlots = (max: number): SlotState => ({
  max: Math.max(1, Math.floor(max)),
  nextId: 1,
  open: [],
  waiting: [],
  current: noTurns,
  streak: 0,
  leasedLast: false,
  allowed: Infinity,
  recovered: null,
})

/** Applies one event, then serves whoever can be served. A `Join` gets the id `state.nextId`; unknown ids change nothing. */
export const stepSlots = (state: SlotState, event: SlotEvent): SlotStep => {
  const next = applyEvent(state, event)
  if (next === state) return { state, actions: [] }
  if (event._tag === "Distrust") return cutAll(next)
  const step = settle(next)
  const joined = next.waiting.at(-1)
  if (event._tag !== "Join" || joined === undefined) return step
  return { ...step, taken: { ...(event.taken ?? neverServed), [classOf(joined)]: joined.turn } }
}

const applyEvent = (state: SlotState, event: SlotEvent): SlotState => {
  switch (event._tag) {
    case "Join":
      return join(state, event)
    case "Answered":
      return changeOpen(state, event.id, (ticket) =>
        ticket.answered ? ticket : { ...ticket, answered: true },
      )
    case "SliceOver":
      return changeOpen(state, event.id, (ticket) =>
        ticket.sliceOver ? ticket : { ...ticket, sliceOver: true },
      )
    case "Leave":
      return leave(state, event.id)
    case "Prefer":
      return prefer(state, event)
    case "Allow":
      return allow(state, event)
    case "Distrust":
      return { ...state }
  }
}

const allow = (
  state: SlotState,
  { grants, recovered = null }: Extract<SlotEvent, { readonly _tag: "Allow" }>,
): SlotState =>
  state.allowed === grants && state.recovered === recovered ? state : { ...state, allowed: grants, recovered }

const cutAll = (from: SlotState): SlotStep => {
  const dead = from.open.filter((ticket) => !ticket.answered && !ticket.cut).map(({ id }) => id)
  const open = from.open.map((ticket) => (dead.includes(ticket.id) ? { ...ticket, cut: true } : ticket))
  return { state: { ...from, open }, actions: dead.map((id) => ({ _tag: "Cut", id })) }
}

const join = (state: SlotState, event: Extract<SlotEvent, { readonly _tag: "Join" }>): SlotState => {
  const { lane, leased = false, live, priority, taken = neverServed } = event
  const name = classOf({ live, leased })
  const turn = Math.max(state.current[name], taken[name] + 1)
  const ticket: Ticket = { id: state.nextId, lane, live, leased, priority, turn }
  return { ...state, nextId: state.nextId + 1, waiting: [...state.waiting, ticket] }
}

/** A poll that waits takes its place in the other class as if it had just come. */
const prefer = (
  state: SlotState,
  { lane, leased, taken = neverServed }: Extract<SlotEvent, { readonly _tag: "Prefer" }>,
): SlotState => {
  const name = leased ? "leased" : "live"
  const turn = Math.max(state.current[name], taken[name] + 1)
  return {
    ...state,
    open: state.open.map((ticket) => (ticket.lane === lane ? { ...ticket, leased } : ticket)),
    waiting: state.waiting.map((ticket) =>
      ticket.lane === lane ? { ...ticket, leased, ...(ticket.live ? { turn } : {}) } : ticket,
    ),
  }
}

const neverServed: Turns = { leased: -1, live: -1, other: -1 }

const leave = (state: SlotState, id: number): SlotState => {
  const open = state.open.filter((ticket) => ticket.id !== id)
  const waiting = state.waiting.filter((ticket) => ticket.id !== id)
  if (open.length === state.open.length && waiting.length === state.waiting.length) return state
  return { ...state, open, waiting }
}

const changeOpen = (state: SlotState, id: number, change: (ticket: OpenTicket) => OpenTicket): SlotState => {
  const index = state.open.findIndex((ticket) => ticket.id === id)
  const ticket = state.open[index]
  if (ticket === undefined) return state
  const changed = change(ticket)
  return changed === ticket ? state : { ...state, open: state.open.with(index, changed) }
}

const settle = (from: SlotState): SlotStep => {
  const actions: Array<SlotAction> = []
  let state = from
  while (state.open.length < state.max && state.waiting.length > 0 && state.allowed > 0) {
    const ticket = nextTicket(state)
    state = grant(state, ticket)
    actions.push({ _tag: "Grant", id: ticket.id })
  }
  for (const id of pollsToCut(state)) {
    state = changeOpen(state, id, (ticket) => ({ ...ticket, cut: true }))
    actions.push({ _tag: "Cut", id })
  }
  return { state, actions }
}

const grant = (state: SlotState, ticket: Ticket): SlotState => {
  const waiting = state.waiting.filter((other) => other.id !== ticket.id)
  const pollWaits = waiting.some((other) => other.live)
  const name = classOf(ticket)
  return {
    ...state,
    waiting,
    open: [...state.open, { ...ticket, answered: false, sliceOver: false, cut: false }],
    current: { ...state.current, [name]: Math.max(state.current[name], ticket.turn) },
    streak: !ticket.live && pollWaits ? state.streak + 1 : 0,
    leasedLast: ticket.live ? ticket.leased : state.leasedLast,
    allowed: state.allowed - 1,
  }
}
