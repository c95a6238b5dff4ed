/**
 * The slot rules under random traffic: never more than the limit, nobody waits beside a free slot, nothing is left over, and
 * everybody is served within the stated bound.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import {
  makeSlots,
  maxStreak,
  stepSlots,
  type SlotEvent,
  type SlotState,
  type Turns,
} from "../../src/adapters/electric/slots.ts"

const step = Schema.Struct({
  kind: Schema.Literals([
    "join-live",
    "join",
    "leave-open",
    "leave-waiting",
    "answered",
    "slice-over",
    "prefer",
    "unprefer",
    "allow",
    "allow-all",
    "distrust",
  ]),
  pick: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })),
})
const max = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 }))
const lanes = 8

const toEvent = (state: SlotState, { kind, pick }: typeof step.Type): SlotEvent | null => {
  const open = state.open[pick % Math.max(1, state.open.length)]
  const waiting = state.waiting[pick % Math.max(1, state.waiting.length)]
  switch (kind) {
    case "join-live":
    case "join":
      return { _tag: "Join", lane: pick % lanes, live: kind === "join-live", priority: pick % 3 }
    case "leave-open":
      return open === undefined ? null : { _tag: "Leave", id: open.id }
    case "leave-waiting":
      return waiting === undefined ? null : { _tag: "Leave", id: waiting.id }
    case "answered":
      return open === undefined ? null : { _tag: "Answered", id: open.id }
    case "slice-over":
      return open === undefined ? null : { _tag: "SliceOver", id: open.id }
    case "prefer":
    case "unprefer":
      return { _tag: "Prefer", lane: pick % lanes, leased: kind === "prefer" }
    case "allow":
      return { _tag: "Allow", grants: pick % 3 }
    case "allow-all":
      return { _tag: "Allow", grants: Infinity }
    case "distrust":
      return { _tag: "Distrust" }
  }
}

/** Polls that are cut leave and join again, as the adapter does; returns ids granted, in order. */
const runSlices = (
  count: number,
  slots: number,
  slices: number,
  priorityOf: (lane: number) => number,
  leasedBelow = 0,
) => {
  let state = makeSlots(slots)
  const laneOf = new Map<number, number>()
  const turns = new Map<number, Turns>()
  const served: Array<ReadonlyArray<number>> = []
  const apply = (event: SlotEvent): void => {
    const id = state.nextId
    if (event._tag === "Join") laneOf.set(id, event.lane)
    const before = event._tag === "Join" ? turns.get(event.lane) : undefined
    const next = stepSlots(state, before === undefined ? event : ({ ...event, taken: before } as SlotEvent))
    if (event._tag === "Join" && next.taken !== undefined) turns.set(event.lane, next.taken)
    state = next.state
    for (const action of next.actions) if (action._tag === "Cut") cuts.push(action.id)
  }
  const cuts: Array<number> = []
  for (let lane = 0; lane < count; lane += 1)
    apply({ _tag: "Join", lane, live: true, leased: lane < leasedBelow, priority: priorityOf(lane) })
  for (let slice = 0; slice < slices; slice += 1) {
    served.push(state.open.map((ticket) => laneOf.get(ticket.id) ?? -1))
    for (const ticket of state.open) apply({ _tag: "SliceOver", id: ticket.id })
    for (const id of cuts.splice(0)) {
      apply({ _tag: "Leave", id })
      const lane = laneOf.get(id) ?? -1
      apply({ _tag: "Join", lane, live: true, leased: lane < leasedBelow, priority: priorityOf(lane) })
    }
  }
  return served
}

/** The most slices any lane waited between two in which it held a slot. */
const longestWait = (served: ReadonlyArray<ReadonlyArray<number>>, count: number): number => {
  let longest = 0
  for (let lane = 0; lane < count; lane += 1) {
    let last = -1
    served.forEach((open, slice) => {
      if (!open.includes(lane)) return
      longest = Math.max(longest, slice - last)
      last = slice
    })
    longest = Math.max(longest, served.length - last)
  }
  return longest
}

describe("slots", () => {
  it.effect.prop(
    "never opens more than the limit, leaves no slot free beside a waiter, and never cuts what is answered",
    { steps: Schema.Array(step), limit: max },
    ({ limit, steps }) =>
      Effect.sync(() => {
        let state = makeSlots(limit)
        const known = new Set<number>()
        for (const choice of steps) {
          const event = toEvent(state, choice)
          if (event === null) continue
          if (event._tag === "Join") known.add(state.nextId)
          if (event._tag === "Leave") known.delete(event.id)
          const { actions, state: after } = stepSlots(state, event)
          state = after
          assert.isAtMost(state.open.length, limit)
          assert.isTrue(
            state.waiting.length === 0 || state.open.length === limit || state.allowed <= 0,
            "nobody waits while a slot is free and a grant is allowed",
          )
          if (event._tag === "Allow")
            assert.isAtMost(actions.filter(({ _tag }) => _tag === "Grant").length, event.grants)
          if (event._tag !== "Distrust")
            assert.isAtMost(actions.filter(({ _tag }) => _tag === "Cut").length, state.waiting.length)
          const held = [...state.open, ...state.waiting].map((ticket) => ticket.id).toSorted((a, b) => a - b)
          assert.deepStrictEqual(
            held,
            [...known].toSorted((a, b) => a - b),
          )
          for (const action of actions) {
            const ticket = state.open.find(({ id }) => id === action.id)
            assert.isDefined(ticket)
            if (action._tag === "Cut") {
              assert.isFalse(ticket?.answered)
              if (event._tag !== "Distrust") assert.isTrue(ticket?.live === true && ticket.sliceOver)
            }
          }
        }
        for (const ticket of [...state.waiting, ...state.open])
          state = stepSlots(state, { _tag: "Leave", id: ticket.id }).state
        assert.deepStrictEqual([state.open.length, state.waiting.length], [0, 0])
      }),
  )

  it.effect.prop(
    "polls every lane of equal priority within ceil(lanes / slots) slices",
    { count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 })), limit: max },
    ({ count, limit }) =>
      Effect.sync(() => {
        const served = runSlices(count, limit, 60, () => 0)
        assert.isAtMost(longestWait(served, count), Math.ceil(count / limit))
      }),
  )

  it.effect.prop(
    "polls every lane within twice that whatever the priorities are",
    {
      priorities: Schema.NonEmptyArray(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))),
      limit: max,
    },
    ({ limit, priorities }) =>
      Effect.sync(() => {
        const count = priorities.length
        const served = runSlices(count, limit, 20 + count * 6, (lane) => priorities[lane] ?? 0)
        assert.isAtMost(longestWait(served, count), 2 * Math.ceil(count / limit))
      }),
  )

  it.effect.prop(
    "serves each class of polls within its stated bound, however many the other class has",
    {
      leased: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 })),
      background: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 })),
      limit: max,
    },
    ({ background, leased, limit }) =>
      Effect.sync(() => {
        const served = runSlices(leased + background, limit, 160, () => 0, leased)
        const of = (from: number, count: number): number =>
          longestWait(
            served.map((open) => open.map((lane) => lane - from)),
            count,
          )
        assert.isAtMost(of(0, leased), Math.ceil((2 * leased) / limit) + 1)
        assert.isAtMost(of(leased, background), Math.ceil((2 * background) / limit) + 1)
      }),
  )

  it("leaves leased polls on their connections while they need no more than half", () => {
    const served = runSlices(40, 4, 60, () => 0, 2)
    for (const open of served.slice(20)) assert.includeMembers([...open], [0, 1])
  })

  it("serves a lane that becomes leased in the order of its new class", () => {
    let state = makeSlots(1)
    for (let lane = 0; lane < 30; lane += 1)
      state = stepSlots(state, { _tag: "Join", lane, live: true, priority: 0 }).state
    state = stepSlots(state, { _tag: "Prefer", lane: 29, leased: true }).state
    state = stepSlots(state, { _tag: "Leave", id: state.open[0]!.id }).state
    assert.strictEqual(state.open[0]?.lane, 29)
  })

  it("polls each of 20 lanes on 4 slots within 5 slices", () => {
    assert.strictEqual(
      longestWait(
        runSlices(20, 4, 50, () => 0),
        20,
      ),
      5,
    )
  })

  it("serves catch-ups before polls, higher priority first, and a poll after at most the streak", () => {
    let state = makeSlots(1)
    const join = (lane: number, live: boolean, priority: number): number => {
      const id = state.nextId
      state = stepSlots(state, { _tag: "Join", lane, live, priority }).state
      return id
    }
    const holder = join(0, false, 0)
    const poll = join(1, true, 99)
    const low = join(2, false, 1)
    const high = join(3, false, 5)
    for (let lane = 10; lane < 40; lane += 1) join(lane, false, 0)
    const order: Array<number> = []
    let current = holder
    for (let turn = 0; turn < 25; turn += 1) {
      state = stepSlots(state, { _tag: "Leave", id: current }).state
      current = state.open[0]?.id ?? -1
      order.push(current)
    }
    assert.deepStrictEqual(order.slice(0, 2), [high, low])
    assert.isAtMost(order.indexOf(poll), maxStreak)
    assert.isAtLeast(order.indexOf(poll), 2)
  })

  it("leaves a poll alone while nobody waits and cuts it at once when somebody comes after its slice", () => {
    let state = stepSlots(makeSlots(1), { _tag: "Join", lane: 1, live: true, priority: 0 }).state
    const quiet = stepSlots(state, { _tag: "SliceOver", id: 1 })
    assert.deepStrictEqual(quiet.actions, [])
    state = quiet.state
    assert.deepStrictEqual(stepSlots(state, { _tag: "Join", lane: 2, live: false, priority: 0 }).actions, [
      { _tag: "Cut", id: 1 },
    ])
  })

  it("cuts the least important poll first", () => {
    let state = makeSlots(2)
    state = stepSlots(state, { _tag: "Join", lane: 1, live: true, priority: 9 }).state
    state = stepSlots(state, { _tag: "Join", lane: 2, live: true, priority: 1 }).state
    for (const id of [1, 2]) state = stepSlots(state, { _tag: "SliceOver", id }).state
    assert.deepStrictEqual(stepSlots(state, { _tag: "Join", lane: 3, live: true, priority: 0 }).actions, [
      { _tag: "Cut", id: 2 },
    ])
  })

  it("asks leased lanes that were not answered first while a server recovers, whatever polls their class still holds", () => {
    let state = makeSlots(4)
    const join = (lane: number, leased: boolean): void => {
      state = stepSlots(state, { _tag: "Join", lane, live: true, leased, priority: 0 }).state
    }
    // Two leased polls were answered and are held: half of the connections. Requests are spaced from here on.
    join(1, true)
    join(2, true)
    state = stepSlots(state, { _tag: "Allow", grants: 0, recovered: new Set([1, 2]) }).state
    for (const lane of [10, 11, 12]) join(lane, false)
    for (const lane of [3, 4]) join(lane, true)
    const order: Array<number> = []
    for (let turn = 0; turn < 4; turn += 1) {
      state = stepSlots(state, { _tag: "Allow", grants: 1, recovered: new Set([1, 2, ...order]) }).state
      const granted = state.open.at(-1)!
      order.push(granted.lane)
      state = stepSlots(state, { _tag: "Leave", id: granted.id }).state
    }
    assert.deepStrictEqual(order, [3, 4, 10, 11])
  })
})
