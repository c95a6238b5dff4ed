/**
 * Runs the rules of `slots.ts` and `origin.ts` with real requests and a real clock: one per source layer, shared by every instance. It
 * decides only when a request may be open; what the request is, it never sees. Called by the stream module only.
 *
 * A ticket is created and removed in an acquire/release pair whose use begins with the wait, so interruption at any point (waiting,
 * just granted, open, being cut) leaves nothing behind. A run that waits without a fiber takes its ticket first and leaves it when it ends.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { EngineConfig } from "../../ports/EngineConfig.ts"
import type { SourceWait } from "../../ports/ShapeSource.ts"
import { type Connections, type Lane, SlotTable, type TicketHandle } from "./SlotTable.ts"

export type { Connections, Lane, TicketHandle } from "./SlotTable.ts"

/** The right to have one request open. */
export interface Slot {
  /** For the request: aborted when it must make room (never after `answered`), or by `abort`. */
  readonly signal: AbortSignal
  /** True when the signal was aborted to make room. */
  readonly isCut: () => boolean
  /** Closes the request's socket. */
  readonly abort: () => void
  /** How the request went: null when the origin answered, else the wait it asked for (0: none). */
  readonly report: (retryAfterMillis: number | null) => void
  /** To be called at once when response headers have come: from then on the request is never cut. */
  readonly answered: () => void
}

/** The request was cut to make room for others; ask for a slot again. */
export interface SlotCut {
  readonly _tag: "SlotCut"
}
export const slotCut: SlotCut = { _tag: "SlotCut" }

export class ConnectionSlots extends Context.Service<
  ConnectionSlots,
  {
    /** A lane of its own for one running instance, forgotten with the scope. */
    readonly lane: (options: {
      readonly key: string
      readonly priority: number
      readonly onSlot: (held: boolean) => void
    }) => Effect.Effect<Lane, never, Scope.Scope>
    /** Waits for a slot, then runs `use` in it. The slot is free again when `use` ends in any way. */
    readonly withSlot: <A, E>(
      lane: Lane,
      live: boolean,
      use: (slot: Slot) => Effect.Effect<A, E>,
    ) => Effect.Effect<A, E>
    /** A place in the queue; granted at once when a slot is free. Whoever takes it uses it or leaves it. */
    readonly take: (lane: Lane, live: boolean) => TicketHandle
    readonly leave: (ticket: TicketHandle) => void
    /** As `withSlot`, with a ticket that was taken already; null is a slot that is still to come: `SlotCut`. */
    readonly withTicket: <A, E>(
      taken: () => TicketHandle | null,
      use: (slot: Slot) => Effect.Effect<A, E>,
    ) => Effect.Effect<A, E | SlotCut>
    /** Opens a lane outside of a scope; for runs that end it themselves. */
    readonly openLane: (options: Pick<Lane, "key" | "priority" | "onSlot">) => Lane
    readonly closeLane: (lane: Lane) => void
    /** Whether somebody looks at what the lane of this key brings, now and in later runs. */
    readonly prefer: (key: string, leased: boolean) => void
    /** While the scope is open, no slot is handed out. */
    readonly hold: Effect.Effect<void, never, Scope.Scope>
    /** The host slept: open requests without an answer are asked again, in turn. */
    readonly distrust: () => void
    /** What holds back the next request of the lane of this key; also of one that is still to come. */
    readonly waits: (key: string) => SourceWait | null
    /** Requests now open, waiting, and allowed; while the origin is left alone, for how long. */
    readonly connections: () => Connections
  }
>()("@espalier/engine/adapters/electric/ConnectionSlots") {
  /** Limits come from `EngineConfig`. */
  static readonly layer: Layer.Layer<ConnectionSlots> = Layer.effect(
    ConnectionSlots,
    Effect.gen(function* () {
      const table = new SlotTable(
        yield* EngineConfig,
        yield* Clock.Clock,
        yield* Random.Random,
        yield* FiberHandle.makeRuntime<never>(),
      )
      return makeConnectionSlots(table)
    }),
  )
}

const makeConnectionSlots = (table: SlotTable): ConnectionSlots["Service"] => ({
  lane: (options) =>
    Effect.acquireRelease(
      Effect.sync(() => table.openLane(options)),
      (lane) => Effect.sync(() => table.closeLane(lane)),
    ),
  withSlot: (lane, live, use) =>
    Effect.acquireUseRelease(
      Effect.sync(() => table.join(lane, live)),
      (ticket) => useTicket(table, ticket, use),
      (ticket) => Effect.sync(() => table.leave(ticket.id)),
    ),
  take: (lane, live) => table.join(lane, live),
  leave: (ticket) => table.leave(ticket.id),
  withTicket: <A, E>(taken: () => TicketHandle | null, use: (slot: Slot) => Effect.Effect<A, E>) =>
    Effect.acquireUseRelease(
      Effect.sync(taken),
      (ticket): Effect.Effect<A, E | SlotCut> =>
        ticket === null ? Effect.fail(slotCut) : useTicket(table, ticket, use),
      (ticket) => Effect.sync(() => ticket !== null && table.leave(ticket.id)),
    ),
  openLane: (options) => table.openLane(options),
  closeLane: (lane) => table.closeLane(lane),
  prefer: (key, leased) => table.prefer(key, leased),
  hold: Effect.acquireRelease(
    Effect.sync(() => table.hold()),
    () => Effect.sync(() => table.unhold()),
  ),
  distrust: () => table.apply({ _tag: "Distrust" }),
  waits: (key) => table.waits(key),
  connections: () => table.connections(),
})

/** Waits for the grant, then uses the slot. */
const useTicket = <A, E>(
  table: SlotTable,
  ticket: TicketHandle,
  use: (slot: Slot) => Effect.Effect<A, E>,
): Effect.Effect<A, E> =>
  Effect.callback<AbortController>((go) => {
    const { aborter } = ticket
    if (aborter !== null) go(Effect.succeed(aborter))
    else ticket.onGrant = () => ticket.aborter !== null && go(Effect.succeed(ticket.aborter))
  }).pipe(Effect.flatMap((aborter) => useSlot(table, ticket, aborter, use)))

const useSlot = <A, E>(
  table: SlotTable,
  ticket: TicketHandle,
  aborter: AbortController,
  use: (slot: Slot) => Effect.Effect<A, E>,
): Effect.Effect<A, E> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { live } = ticket
      const grantedAt = yield* Clock.currentTimeMillis
      if (live) {
        yield* Effect.forkScoped(
          Effect.andThen(
            Effect.sleep(table.sliceMillis()),
            Effect.sync(() => table.sliceOver(ticket.id)),
          ),
        )
      }
      const clock = yield* Clock.Clock
      return yield* use({
        signal: aborter.signal,
        isCut: () => ticket.cut,
        abort: () => aborter.abort(),
        report: (retryAfterMillis) => table.report(ticket.lane, retryAfterMillis),
        answered: () => {
          if (!live) table.noteLatency(clock.currentTimeMillisUnsafe() - grantedAt)
          table.apply({ _tag: "Answered", id: ticket.id })
        },
      })
    }),
  )
