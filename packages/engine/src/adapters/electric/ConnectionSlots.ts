/**
 * Runs the slot rules of `slots.ts` with real requests and a real clock: one per source layer, shared by every instance. It
 * decides only when a request may be open; what the request is, it never sees. Called by the stream module only.
 *
 * A ticket is created and removed in an acquire/release pair whose use begins with the wait, so interruption at any point (waiting,
 * just granted, open, being cut) leaves nothing behind.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { EngineConfig, type EngineConfigShape } from "../../ports/EngineConfig.ts"
import { makeSlots, stepSlots, type SlotEvent, type SlotState } from "./slots.ts"

/** One running instance, as far as slots are concerned. */
export interface Lane {
  readonly id: number
  readonly priority: number
  /** Called with true when the lane gets its first open request, with false when its last one is over. */
  readonly onSlot: (held: boolean) => void
}

/** The right to have one request open. */
export interface Slot {
  /** For the request: aborted when it must make room (never after `answered`), or by `abort`. */
  readonly signal: AbortSignal
  /** True when the signal was aborted to make room. */
  readonly isCut: () => boolean
  /** Closes the request's socket. */
  readonly abort: () => void
  /** To be called at once when response headers have come: from then on the request is never cut. */
  readonly answered: () => void
}

/** The request was cut to make room for others; ask for a slot again. */
export interface SlotCut {
  readonly _tag: "SlotCut"
}
export const slotCut: SlotCut = { _tag: "SlotCut" }

interface Entry {
  readonly lane: Lane
  readonly granted: Latch.Latch
  readonly aborter: AbortController
  cut: boolean
}

export class ConnectionSlots extends Context.Service<
  ConnectionSlots,
  {
    /** A lane of its own for one running instance, forgotten with the scope. */
    readonly lane: (options: {
      readonly priority: number
      readonly onSlot: (held: boolean) => void
    }) => Effect.Effect<Lane, never, Scope.Scope>
    /** Waits for a slot, then runs `use` in it. The slot is free again when `use` ends in any way. */
    readonly withSlot: <A, E>(
      lane: Lane,
      live: boolean,
      use: (slot: Slot) => Effect.Effect<A, E>,
    ) => Effect.Effect<A, E>
    /** Requests now open, waiting, and allowed. */
    readonly connections: () => { readonly open: number; readonly waiting: number; readonly max: number }
  }
>()("@espalier/engine/adapters/electric/ConnectionSlots") {
  /** Limits come from `EngineConfig`: `maxConnections`, `liveSliceMillis`, `requestTimeoutMillis`. */
  static readonly layer: Layer.Layer<ConnectionSlots> = Layer.effect(
    ConnectionSlots,
    Effect.map(EngineConfig, (config) => makeConnectionSlots(config)),
  )
}

const makeConnectionSlots = (config: EngineConfigShape): ConnectionSlots["Service"] => {
  const table = new SlotTable(config)
  return {
    lane: ({ onSlot, priority }) =>
      Effect.acquireRelease(
        Effect.sync(() => table.openLane(priority, onSlot)),
        (lane) => Effect.sync(() => table.apply({ _tag: "Forget", lane: lane.id })),
      ),
    withSlot: (lane, live, use) =>
      Effect.acquireUseRelease(
        Effect.sync(() => table.join(lane, live)),
        (ticket) =>
          Effect.andThen(
            ticket.entry.granted.await,
            Effect.suspend(() => useSlot(table, ticket, live, use)),
          ),
        (ticket) => Effect.sync(() => table.leave(ticket.id)),
      ),
    connections: () => table.connections(),
  }
}

interface TicketHandle {
  readonly id: number
  readonly entry: Entry
}

const useSlot = <A, E>(
  table: SlotTable,
  ticket: TicketHandle,
  live: boolean,
  use: (slot: Slot) => Effect.Effect<A, E>,
): Effect.Effect<A, E> =>
  Effect.scoped(
    Effect.gen(function* () {
      const grantedAt = yield* Clock.currentTimeMillis
      if (live) {
        yield* Effect.forkScoped(
          Effect.andThen(
            Effect.sleep(table.sliceMillis()),
            Effect.sync(() => table.apply({ _tag: "SliceOver", id: ticket.id })),
          ),
        )
      }
      const clock = yield* Clock.Clock
      const { entry } = ticket
      return yield* use({
        signal: entry.aborter.signal,
        isCut: () => entry.cut,
        abort: () => entry.aborter.abort(),
        answered: () => {
          if (!live) table.noteLatency(clock.currentTimeMillisUnsafe() - grantedAt)
          table.apply({ _tag: "Answered", id: ticket.id })
        },
      })
    }),
  )

/** The mutable cell around the pure state: applies events and carries out the actions, synchronously. */
class SlotTable {
  readonly #config: EngineConfigShape
  readonly #entries = new Map<number, Entry>()
  readonly #held = new Map<number, number>()
  #state: SlotState
  #nextLane = 1
  /** Smoothed time to the headers of requests that are answered at once. */
  #latencyMillis = 0

  constructor(config: EngineConfigShape) {
    this.#config = config
    this.#state = makeSlots(config.maxConnections)
  }

  openLane(priority: number, onSlot: (held: boolean) => void): Lane {
    const id = this.#nextLane
    this.#nextLane += 1
    return { id, priority, onSlot }
  }

  join(lane: Lane, live: boolean): TicketHandle {
    const id = this.#state.nextId
    const entry: Entry = {
      lane,
      granted: Latch.makeUnsafe(false),
      aborter: new AbortController(),
      cut: false,
    }
    this.#entries.set(id, entry)
    this.apply({ _tag: "Join", lane: lane.id, live, priority: lane.priority })
    return { id, entry }
  }

  leave(id: number): void {
    const entry = this.#entries.get(id)
    const wasOpen = this.#state.open.some((ticket) => ticket.id === id)
    this.#entries.delete(id)
    this.apply({ _tag: "Leave", id })
    if (entry !== undefined && wasOpen) this.#noteHeld(entry.lane, -1)
  }

  apply(event: SlotEvent): void {
    const step = stepSlots(this.#state, event)
    this.#state = step.state
    for (const action of step.actions) {
      const entry = this.#entries.get(action.id)
      if (entry === undefined) continue
      if (action._tag === "Cut") {
        entry.cut = true
        entry.aborter.abort()
      } else {
        this.#noteHeld(entry.lane, 1)
        entry.granted.openUnsafe()
      }
    }
  }

  noteLatency(millis: number): void {
    this.#latencyMillis = this.#latencyMillis === 0 ? millis : this.#latencyMillis * 0.8 + millis * 0.2
  }

  /**
   * A slice shorter than the way to the server and back would cut every poll before its answer; on a slow line it grows with
   * the measured latency, up to half the request timeout.
   */
  sliceMillis(): number {
    const needed = Math.min(this.#latencyMillis * 3, this.#config.requestTimeoutMillis / 2)
    return Math.max(this.#config.liveSliceMillis, needed)
  }

  connections(): { readonly open: number; readonly waiting: number; readonly max: number } {
    return { open: this.#state.open.length, waiting: this.#state.waiting.length, max: this.#state.max }
  }

  #noteHeld(lane: Lane, change: 1 | -1): void {
    const before = this.#held.get(lane.id) ?? 0
    const after = before + change
    if (after === 0) this.#held.delete(lane.id)
    else this.#held.set(lane.id, after)
    if (before === 0 || after === 0) lane.onSlot(after > 0)
  }
}
