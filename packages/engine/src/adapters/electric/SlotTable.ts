/**
 * The mutable cell around the pure states of `slots.ts` and `origin.ts`: applies events and carries out the actions, synchronously.
 * Exists apart from `ConnectionSlots` so that what happens to fibers and what happens to the rules are read apart. It starts one
 * timer, for when the origin may be asked again. Made and called by `ConnectionSlots` only.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Random from "effect/Random"
import type { EngineConfigShape } from "../../ports/EngineConfig.ts"
import { allowance, gateOf, healthyOrigin, type OriginEvent, type OriginState, stepOrigin } from "./origin.ts"
import type { SourceWait } from "../../ports/ShapeSource.ts"
import { makeSlots, stepSlots, type SlotEvent, type SlotState, type SlotStep, type Turns } from "./slots.ts"

/** One running instance, as far as slots are concerned. */
export interface Lane {
  readonly id: number
  readonly key: string
  readonly priority: number
  /** The turns it took. */
  taken: Turns | undefined
  /** What it asked last, and when (epoch milliseconds): the loop guard's memory. */
  asked: { readonly href: string; readonly at: number } | null
  /** Called with true when the lane gets its first open request, with false when its last one is over. */
  readonly onSlot: (held: boolean) => void
}

export interface Connections {
  readonly open: number
  readonly waiting: number
  readonly max: number
  /** Milliseconds until the origin is asked again; absent while it is not held off. */
  readonly heldMillis?: number
}

/** A place in the queue for one request, later the right to make it. Thousands wait, so it is small until it is granted. */
export interface TicketHandle {
  readonly id: number
  readonly lane: Lane
  readonly live: boolean
  /** Null while it waits. */
  aborter: AbortController | null
  /** Called when it is granted; by whoever waits for that. */
  onGrant: (() => void) | null
  cut: boolean
}

export class SlotTable {
  readonly #config: EngineConfigShape
  readonly #clock: Clock.Clock
  readonly #random: typeof Random.Random.Service
  /** Runs the one timer, replacing the one before. */
  readonly #schedule: (timer: Effect.Effect<void>) => unknown
  readonly #entries = new Map<number, TicketHandle>()
  readonly #held = new Map<number, number>()
  /** Running lanes by key; with overlapping runs the newest. */
  readonly #lanes = new Map<string, Lane>()
  readonly #leased = new Set<string>()
  /** Running lanes that were answered since the origin's last failure. */
  readonly #recovered = new Set<number>()
  #state: SlotState
  #origin: OriginState = healthyOrigin
  /** Holds that are on: until they are over nothing is granted. */
  #holds = 0
  /** When the origin may be asked again; null while nothing waits for that. */
  #wakeAt: number | null = null
  #nextLane = 1
  /** Smoothed time to the headers of requests that are answered at once. */
  #latencyMillis = 0

  constructor(
    config: EngineConfigShape,
    clock: Clock.Clock,
    random: typeof Random.Random.Service,
    schedule: (timer: Effect.Effect<void>) => unknown,
  ) {
    this.#config = config
    this.#clock = clock
    this.#random = random
    this.#schedule = schedule
    this.#state = makeSlots(config.maxConnections)
  }

  openLane(options: Pick<Lane, "key" | "priority" | "onSlot">): Lane {
    const id = this.#nextLane
    this.#nextLane += 1
    const lane: Lane = { ...options, id, asked: null, taken: undefined }
    this.#lanes.set(options.key, lane)
    return lane
  }

  closeLane(lane: Lane): void {
    if (this.#lanes.get(lane.key) !== lane) return
    this.#lanes.delete(lane.key)
    this.#recovered.delete(lane.id)
  }

  prefer(key: string, leased: boolean): void {
    if (leased) this.#leased.add(key)
    else this.#leased.delete(key)
    const lane = this.#lanes.get(key)
    if (lane === undefined) return
    this.apply({ _tag: "Prefer", lane: lane.id, leased, ...(lane.taken && { taken: lane.taken }) })
  }

  hold(): void {
    this.#holds += 1
    this.#allow()
  }

  unhold(): void {
    this.#holds -= 1
    this.#allow()
  }

  join(lane: Lane, live: boolean): TicketHandle {
    const id = this.#state.nextId
    const ticket: TicketHandle = { id, lane, live, aborter: null, onGrant: null, cut: false }
    this.#entries.set(id, ticket)
    const { id: number, priority, taken } = lane
    const leased = this.#leased.has(lane.key)
    lane.taken = this.apply({ _tag: "Join", lane: number, live, leased, priority, ...(taken && { taken }) })
    return ticket
  }

  leave(id: number): void {
    const entry = this.#entries.get(id)
    const wasOpen = this.#state.open.some((ticket) => ticket.id === id)
    this.#entries.delete(id)
    this.#note({ _tag: "Returned", id })
    this.apply({ _tag: "Leave", id })
    if (entry !== undefined && wasOpen) this.#noteHeld(entry.lane, -1)
  }

  /** A poll that is held as long as a slice proves an origin that answers. */
  sliceOver(id: number): void {
    const lane = this.#entries.get(id)?.lane
    if (lane !== undefined) {
      // Of other polls it only says that nobody waits for their answer: they may hang since before the failure.
      if (this.#origin.probe === id) this.#noteAnswered(lane)
      else this.#recover(lane)
    }
    this.apply({ _tag: "SliceOver", id })
  }

  report(lane: Lane, retryAfterMillis: number | null): void {
    if (retryAfterMillis === null) this.#noteAnswered(lane)
    else {
      this.#recovered.clear()
      const random = this.#random.nextDoubleUnsafe()
      this.#note({ _tag: "Failed", retryAfterMillis, random, lanes: this.#lanes.size })
    }
    this.#allow()
  }

  apply(event: SlotEvent): Turns | undefined {
    this.#allow()
    const { taken } = this.#step(event)
    this.#allow()
    return taken
  }

  /** Lets as many through as the origin may be asked, and comes back when it may be asked again. */
  #allow(): void {
    if (this.#holds > 0) {
      this.#step({ _tag: "Allow", grants: 0 })
      return
    }
    const now = this.#now()
    const { at, grants } = allowance(this.#origin, now, this.#config)
    this.#step({ _tag: "Allow", grants, recovered: Number.isFinite(grants) ? this.#recovered : null })
    if (at === null || this.#state.waiting.length === 0 || this.#wakeAt === at) return
    this.#wakeAt = at
    const wake = Effect.sync(() => {
      this.#wakeAt = null
      this.#allow()
    })
    this.#schedule(Effect.andThen(Effect.sleep(Math.max(1, Math.ceil(at - now))), wake))
  }

  #now(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** The run that has this key now may be a newer one. */
  #recover({ key }: Lane): void {
    const lane = this.#lanes.get(key)
    if (lane !== undefined) this.#recovered.add(lane.id)
  }

  #noteAnswered(lane: Lane): void {
    this.#recover(lane)
    this.#note({ _tag: "Answered", left: this.#lanes.size - this.#recovered.size })
  }

  #note(event: OriginEvent): void {
    this.#origin = stepOrigin(this.#origin, event, this.#now(), this.#config)
  }

  #step(event: SlotEvent): SlotStep {
    const step = stepSlots(this.#state, event)
    this.#state = step.state
    for (const action of step.actions) {
      const entry = this.#entries.get(action.id)
      if (entry === undefined) continue
      if (action._tag === "Cut") {
        entry.cut = true
        entry.aborter?.abort()
      } else {
        this.#note({ _tag: "Sent", id: action.id })
        this.#noteHeld(entry.lane, 1)
        entry.aborter = new AbortController()
        entry.onGrant?.()
      }
    }
    return step
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

  /** What holds back the next request of a lane, or of one that is still to come. */
  waits(key: string): SourceWait | null {
    const { open, waiting } = this.#state
    const lane = this.#lanes.get(key)
    if (lane !== undefined && waiting.every((ticket) => ticket.lane !== lane.id)) return null
    const gate = gateOf(this.#origin, this.#now(), this.#config)
    if (gate !== null && (lane !== undefined || gate.gate === "retry-after" || gate.gate === "breaker"))
      return {
        ...gate,
        millis: gate.millis === null ? null : Math.ceil(gate.millis),
        waiting: waiting.length,
      }
    if (lane === undefined || open.length < this.#state.max) return null
    return { gate: "connection", millis: null, waiting: waiting.length }
  }

  connections(): Connections {
    const held = this.#origin.openUntil - this.#now()
    const { max, open, waiting } = this.#state
    const counts = { open: open.length, waiting: waiting.length, max }
    return held > 0 ? { ...counts, heldMillis: Math.ceil(held) } : counts
  }

  #noteHeld(lane: Lane, change: 1 | -1): void {
    const before = this.#held.get(lane.id) ?? 0
    const after = before + change
    if (after === 0) this.#held.delete(lane.id)
    else this.#held.set(lane.id, after)
    if (before === 0 || after === 0) lane.onSlot(after > 0)
  }
}
