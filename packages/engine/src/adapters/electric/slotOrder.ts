/**
 * Who is served next, and which polls make room: the two choices of `slots.ts`, which states the order and its bounds. Pure; called by
 * it only.
 */
import type { SlotState, Ticket } from "./slots.ts"

/** After this many other grants in a row a waiting poll is served. */
export const maxStreak = 16

/** The waiting ticket to be granted next; somebody must wait. */
export const nextTicket = (state: SlotState): Ticket => {
  const owed = owedLeased(state)
  if (owed.length > 0) return first(owed)
  const polls = state.waiting.filter((ticket) => ticket.live)
  const others = state.waiting.filter((ticket) => !ticket.live)
  if (others.length > 0) {
    const looked = polls.filter((ticket) => ticket.leased)
    // A poll past its slice stays only because nobody needs its connection: it is no reason to make others wait.
    const held = state.open.filter((ticket) => ticket.live && ticket.leased && !ticket.sliceOver).length
    const due = looked.length > 0 && held < leasedShare(state)
    if (due && !others.some((ticket) => ticket.leased)) return first(looked)
    if (polls.length === 0 || state.streak < maxStreak) return first(others)
  }
  const due = polls.filter((ticket) => ticket.leased === leasedIsDue(state))
  return first(due.length > 0 ? due : polls)
}

/**
 * While an origin recovers, connections are free and requests are scarce: polls that were answered already keep their connections, and
 * say nothing of who is to be asked next. Leased lanes that have not been answered are, whatever their class holds.
 */
const owedLeased = ({ recovered, waiting }: SlotState): ReadonlyArray<Ticket> =>
  recovered === null ? [] : waiting.filter((ticket) => ticket.leased && !recovered.has(ticket.lane))

const openLeased = (state: SlotState): number =>
  state.open.filter((ticket) => ticket.live && ticket.leased).length

/** Connections that leased polls may keep: half, and while catch-ups wait a quarter (at least one of several). */
const leasedShare = (state: SlotState): number => {
  if (state.waiting.every((ticket) => ticket.live)) return Math.floor(state.max / 2)
  return state.max === 1 ? 0 : Math.max(1, Math.floor(state.max / 4))
}

/** The class of polls below its half comes next; an odd connection goes to the two in turn. */
const leasedIsDue = (state: SlotState): boolean => {
  const open = openLeased(state)
  if (open < Math.floor(state.max / 2)) return true
  return open < Math.ceil(state.max / 2) && !state.leasedLast
}

const first = (tickets: ReadonlyArray<Ticket>): Ticket =>
  tickets.reduce((best, ticket) => (comesBefore(ticket, best) ? ticket : best))

/** Turns by which a leased lane may be ahead: the requests of a catch-up that somebody waits for. */
const leasedLead = 16

const comesBefore = (left: Ticket, right: Ticket): boolean => {
  const ahead = (ticket: Ticket): number => ticket.turn - (ticket.leased ? leasedLead : 0)
  if (ahead(left) !== ahead(right)) return ahead(left) < ahead(right)
  if (left.priority !== right.priority) return left.priority > right.priority
  return left.id < right.id
}

/** Leased polls stay while they hold no more than their share and no other leased poll waits for its turn. */
const leasedStay = (state: SlotState): boolean =>
  openLeased(state) <= leasedShare(state) && !state.waiting.some((ticket) => ticket.live && ticket.leased)

/**
 * As many unanswered polls past their slice as there are waiters that may be served: from the class that holds more, the least
 * important first, then the longest served.
 */
export const pollsToCut = (state: SlotState): ReadonlyArray<number> => {
  const vacating = state.open.filter((ticket) => ticket.cut).length
  const free = state.max - state.open.length
  const wanted = Math.min(state.waiting.length, state.allowed) - vacating - free
  if (wanted <= 0) return []
  const held = state.open.filter((ticket) => ticket.live && !ticket.cut)
  const past = held
    .filter((ticket) => ticket.sliceOver && !ticket.answered)
    .toSorted((left, right) => left.priority - right.priority || left.turn - right.turn || left.id - right.id)
  if (past.length === 0) return []
  const leased = leasedStay(state) ? [] : past.filter((ticket) => ticket.leased)
  const background = past.filter((ticket) => !ticket.leased)
  const cut: Array<number> = []
  let more = held.filter((ticket) => ticket.leased).length * 2 - held.length
  while (cut.length < wanted) {
    const ticket = (more > 0 ? leased.shift() : background.shift()) ?? background.shift() ?? leased.shift()
    if (ticket === undefined) break
    more += ticket.leased ? -1 : 1
    cut.push(ticket.id)
  }
  return cut
}
