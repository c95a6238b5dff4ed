/**
 * A thousand instances, four connections and a server that goes away, then asks for patience, then is back: on a virtual clock,
 * with the slots and the origin's rules as they run, and instances that back off as the engine makes them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Latch, Random } from "effect"
import { TestClock } from "effect/testing"
import {
  ConnectionSlots,
  slotCut,
  type Lane,
  type Slot,
} from "../../src/adapters/electric/ConnectionSlots.ts"
import { defaultEngineConfig, EngineConfig } from "../../src/ports/EngineConfig.ts"
import { backoffMillis, minBackoffMillis } from "../../src/protocol/backoff.ts"

const config = { ...defaultEngineConfig, maxConnections: 4, recoveryRequestsPerSecond: 50 }
const lanes = 1_000
const leased = 10

/** Seconds of the story. */
const story = { falls: 3, busy: 10, back: 20, ends: 60 }
const retryAfterMillis = 4_000
/** The virtual clock moves by this much. */
const stepMillis = 50

interface Sent {
  readonly at: number
  readonly lane: number
  readonly ok: boolean
  readonly live: boolean
}

/** Of the jitter: the same story each time, and more than one. */
const seeds = ["one", "two", "three"]

class ServerDown {
  readonly _tag = "ServerDown"
  readonly retryAfterMillis: number
  constructor(retryAfter: number) {
    this.retryAfterMillis = retryAfter
  }
}

const cutOf = (slot: Slot) =>
  Effect.callback<never, typeof slotCut>((resume) => {
    slot.signal.addEventListener("abort", () => resume(Effect.fail(slotCut)), { once: true })
  })

/** What the server does with a request: 20 ms until it fails or answers, a poll is held until it falls. */
const serve = (lane: Lane, live: boolean, slot: Slot, sent: Array<Sent>, back: Latch.Latch) =>
  Effect.gen(function* () {
    const at = yield* Clock.currentTimeMillis
    const up = at < story.falls * 1_000 || at >= story.back * 1_000
    sent.push({ at, lane: lane.id, ok: up, live })
    if (up && live) {
      const falls = story.falls * 1_000 - at
      yield* Effect.raceFirst(cutOf(slot), falls > 0 ? Effect.sleep(falls) : Effect.never)
    } else yield* Effect.sleep(20)
    if (up && !live) {
      slot.answered()
      back.openUnsafe()
      return slot.report(null)
    }
    const floor = at >= story.busy * 1_000 ? retryAfterMillis : 0
    slot.report(floor)
    back.closeUnsafe()
    return yield* Effect.fail(new ServerDown(floor))
  })

/** Catches up, polls, and backs off when it fails, for ever. */
const instance = (slots: ConnectionSlots["Service"], key: string, sent: Array<Sent>, back: Latch.Latch) =>
  Effect.gen(function* () {
    const lane = yield* slots.lane({ key, priority: 0, onSlot: () => undefined })
    const ask = (live: boolean) => slots.withSlot(lane, live, (slot) => serve(lane, live, slot, sent, back))
    const poll = Effect.forever(Effect.catchTag(ask(true), "SlotCut", () => Effect.void))
    const run = Effect.andThen(
      Effect.catchTag(ask(false), "SlotCut", () => Effect.void),
      poll,
    )
    let attempt = 0
    return yield* Effect.forever(
      Effect.catchTag(run, "ServerDown", (error) =>
        Effect.gen(function* () {
          attempt += 1
          const wait = backoffMillis(attempt, yield* Random.next, error.retryAfterMillis, config)
          // As the reconciler does: a good answer ends the wait of everybody, but not the server's floor.
          yield* Effect.sleep(Math.max(minBackoffMillis, error.retryAfterMillis))
          yield* Effect.raceFirst(Effect.sleep(wait), back.await)
        }),
      ),
    )
  })

const busiestSecond = (times: ReadonlyArray<number>): number => {
  let most = 0
  let from = 0
  times.forEach((time, index) => {
    while (time - times[from]! >= 1_000) from += 1
    most = Math.max(most, index - from + 1)
  })
  return most
}

describe("A storm", () => {
  it.effect.each(seeds)(
    "never becomes one: 1,000 instances share one breaker, one floor and one budget (I15), seed %s",
    (seed) =>
      Effect.gen(function* () {
        const slots = yield* ConnectionSlots
        const sent: Array<Sent> = []
        const back = yield* Latch.make(false)
        const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
        for (let index = 0; index < lanes; index += 1) {
          const key = `k${index}`
          slots.prefer(key, index >= lanes - leased)
          fibers.push(yield* Effect.forkChild(Effect.scoped(instance(slots, key, sent, back))))
        }
        let maxOpen = 0
        for (let step = 0; step < (story.ends * 1_000) / stepMillis; step += 1) {
          yield* TestClock.adjust(stepMillis)
          maxOpen = Math.max(maxOpen, slots.connections().open)
        }
        assert.isAtMost(maxOpen, config.maxConnections)
        const during = sent.filter(({ at }) => at > story.falls * 1_000 && at < story.back * 1_000)
        // From the first failure to the end: never above the budget, and while it is down only probes.
        assert.isAtMost(
          busiestSecond(sent.filter(({ at }) => at > story.falls * 1_000).map(({ at }) => at)),
          50,
        )
        assert.isAtMost(during.length, 40)
        assert.isAtLeast(during.length, 5)
        // Once it asks for patience, nobody asks before that time.
        const busy = during.filter(({ at }) => at >= story.busy * 1_000).map(({ at }) => at)
        assert.isAtMost(busy.length, 4)
        busy.slice(1).forEach((at, index) => assert.isAtLeast(at - busy[index]!, retryAfterMillis))
        // Back: everyone is served, once the breaker's last pause is over: its jitter may be longer than the floor.
        const after = sent.filter(({ at, ok }) => ok && at >= story.back * 1_000)
        const longestPause = Math.max(retryAfterMillis, minBackoffMillis + config.breakerCapMillis)
        assert.isAtMost(after[0]!.at, (busy.at(-1) ?? 0) + longestPause + stepMillis)
        const servedBy = (lane: number): number =>
          after.find((request) => request.lane === lane)?.at ?? Infinity
        const leasedLanes = Array.from({ length: leased }, (_, index) => lanes - leased + index + 1)
        const lastLeased = Math.max(...leasedLanes.map(servedBy))
        const slices = leased / Math.max(1, Math.floor(config.maxConnections / 4)) + 1
        assert.isAtMost(lastLeased - after[0]!.at, slices * config.liveSliceMillis)
        const last = Math.max(...Array.from({ length: lanes }, (_, index) => servedBy(index + 1)))
        assert.isAbove(last, lastLeased)
        // Polls of 990 lanes on half of the connections take their slices; all of them had their turn by the end or wait for it.
        const served = new Set(after.map(({ lane }) => lane)).size
        assert.isAtLeast(served, 300)
        yield* Effect.forEach(fibers, Fiber.interrupt, { concurrency: "unbounded" })
        const left = slots.connections()
        assert.deepStrictEqual([left.open, left.waiting], [0, 0])
      }).pipe(
        Effect.provide(ConnectionSlots.layer),
        Effect.provideService(EngineConfig, config),
        Random.withSeed(seed),
      ),
  )
})
