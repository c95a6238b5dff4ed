/**
 * Who may have a request open. Exists because a browser gives one origin six connections on HTTP/1.1 and every live shape
 * wants one for ever. Pure: (state, event) → state and actions; the timers and requests are in `ConnectionSlots.ts`.
 *
 *   join ──▶ waiting ──Grant──▶ unanswered ──answered──▶ answered ──leave──▶ gone
 *                                   │ slice over, others wait, live
 *                                   └──Cut──▶ leave, join again
 *
 * Order of service: requests that are not live (catch-ups, first snapshots) before long polls, except that after
 * `maxStreak` of them in a row a waiting poll is served; within a class by turn, then priority, then arrival. A lane (one running
 * instance) that was served in this turn waits for the next one, so no priority starves another lane: with N lanes of one class and M
 * slots, a lane is served again within ceil(N / M) slices when priorities are equal, and within twice that always.
 *
 * Invariants: open ≤ max; nobody waits while a slot is free; a request whose answer has begun is never cut; no more polls are
 * being cut than there are waiters.
 */

export interface Ticket {
  readonly id: number
  /** The running instance it belongs to. */
  readonly lane: number
  readonly live: boolean
  readonly priority: number
  readonly turn: number
}

export interface OpenTicket extends Ticket {
  readonly answered: boolean
  readonly sliceOver: boolean
  readonly cut: boolean
}

/** Turns of the two classes. */
interface Turns {
  readonly live: number
  readonly other: number
}

export interface SlotState {
  readonly max: number
  readonly nextId: number
  readonly open: ReadonlyArray<OpenTicket>
  readonly waiting: ReadonlyArray<Ticket>
  /** The last turn each lane took, forgotten with the lane. */
  readonly taken: ReadonlyMap<number, Turns>
  /** The newest turn served. */
  readonly current: Turns
  /** Grants in a row to requests that are not live while a poll waited. */
  readonly streak: number
}

export type SlotEvent =
  | { readonly _tag: "Join"; readonly lane: number; readonly live: boolean; readonly priority: number }
  | { readonly _tag: "Answered"; readonly id: number }
  | { readonly _tag: "SliceOver"; readonly id: number }
  | { readonly _tag: "Leave"; readonly id: number }
  | { readonly _tag: "Forget"; readonly lane: number }

export type SlotAction =
  | { readonly _tag: "Grant"; readonly id: number }
  /** The poll must abort its request and join again. */
  | { readonly _tag: "Cut"; readonly id: number }

export interface SlotStep {
  readonly state: SlotState
  readonly actions: ReadonlyArray<SlotAction>
}

/** After this many other grants in a row a waiting poll is served. */
export const maxStreak = 16

const noTurn = -1

export const makeSlots = (max: number): SlotState => ({
  max: Math.max(1, Math.floor(max)),
  nextId: 1,
  open: [],
  waiting: [],
  taken: new Map(),
  current: { live: 0, other: 0 },
  streak: 0,
})

/** Applies one event, then serves whoever can be served. A `Join` gets the id `state.nextId`; unknown ids change nothing. */
export const stepSlots = (state: SlotState, event: SlotEvent): SlotStep => {
  const next = applyEvent(state, event)
  return next === state ? { state, actions: [] } : settle(next)
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
    case "Forget": {
      if (!state.taken.has(event.lane)) return state
      const taken = new Map(state.taken)
      taken.delete(event.lane)
      return { ...state, taken }
    }
  }
}

const join = (
  state: SlotState,
  event: { readonly lane: number; readonly live: boolean; readonly priority: number },
): SlotState => {
  const taken = state.taken.get(event.lane) ?? { live: noTurn, other: noTurn }
  const turn = event.live
    ? Math.max(state.current.live, taken.live + 1)
    : Math.max(state.current.other, taken.other + 1)
  const ticket: Ticket = {
    id: state.nextId,
    lane: event.lane,
    live: event.live,
    priority: event.priority,
    turn,
  }
  return {
    ...state,
    nextId: state.nextId + 1,
    waiting: [...state.waiting, ticket],
    taken: new Map(state.taken).set(
      event.lane,
      event.live ? { ...taken, live: turn } : { ...taken, other: turn },
    ),
  }
}

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
  while (state.open.length < state.max && state.waiting.length > 0) {
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

const nextTicket = (state: SlotState): Ticket => {
  const polls = state.waiting.filter((ticket) => ticket.live)
  const others = state.waiting.filter((ticket) => !ticket.live)
  const servePoll = others.length === 0 || (polls.length > 0 && state.streak >= maxStreak)
  return (servePoll ? polls : others).reduce((best, ticket) => (comesBefore(ticket, best) ? ticket : best))
}

const comesBefore = (left: Ticket, right: Ticket): boolean => {
  if (left.turn !== right.turn) return left.turn < right.turn
  if (left.priority !== right.priority) return left.priority > right.priority
  return left.id < right.id
}

const grant = (state: SlotState, ticket: Ticket): SlotState => {
  const waiting = state.waiting.filter((other) => other.id !== ticket.id)
  const pollWaits = waiting.some((other) => other.live)
  const { current } = state
  return {
    ...state,
    waiting,
    open: [...state.open, { ...ticket, answered: false, sliceOver: false, cut: false }],
    current: ticket.live
      ? { ...current, live: Math.max(current.live, ticket.turn) }
      : { ...current, other: Math.max(current.other, ticket.turn) },
    streak: !ticket.live && pollWaits ? state.streak + 1 : 0,
  }
}

/** As many unanswered polls past their slice as there are waiters; the least important first, then the longest served. */
const pollsToCut = (state: SlotState): ReadonlyArray<number> => {
  const vacating = state.open.filter((ticket) => ticket.cut).length
  const wanted = state.waiting.length - vacating
  if (wanted <= 0) return []
  return state.open
    .filter((ticket) => ticket.live && ticket.sliceOver && !ticket.answered && !ticket.cut)
    .toSorted((left, right) => left.priority - right.priority || left.turn - right.turn || left.id - right.id)
    .slice(0, wanted)
    .map((ticket) => ticket.id)
}
