/** The slot rules with fibers and a virtual clock: rotation, fairness, and nothing left behind whenever something is interrupted. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { ConnectionSlots, slotCut, type Slot } from "../../src/adapters/electric/ConnectionSlots.ts"
import { Mailbox, maxRequestSignals } from "../../src/adapters/electric/Mailbox.ts"
import { defaultEngineConfig, EngineConfig } from "../../src/ports/EngineConfig.ts"
import type { SourceEvent } from "../../src/ports/ShapeSource.ts"
import { Network, ShapeError } from "../../src/protocol/ShapeError.ts"
import { batch, signal } from "../../src/testing/messages.ts"

const limits = (maxConnections: number) =>
  Effect.provideService(EngineConfig, { ...defaultEngineConfig, maxConnections, liveSliceMillis: 600 })

/** A poll that is answered never, and gives way when cut. */
const quietPoll = (slot: Slot) =>
  Effect.callback<never, typeof slotCut>((resume) => {
    slot.signal.addEventListener("abort", () => resume(Effect.fail(slotCut)), { once: true })
  })

const pollForever = (slots: ConnectionSlots["Service"], onPoll: () => void, priority = 0) =>
  Effect.scoped(
    Effect.gen(function* () {
      const lane = yield* slots.lane({ key: "a", priority, onSlot: () => undefined })
      const poll = slots.withSlot(lane, true, (slot) =>
        Effect.suspend(() => {
          onPoll()
          return quietPoll(slot)
        }),
      )
      return yield* Effect.forever(Effect.catchTag(poll, "SlotCut", () => Effect.void))
    }),
  )

const settle = Effect.repeat(Effect.yieldNow, { times: 30 })

describe("ConnectionSlots", () => {
  it.effect("polls each of 20 live instances on 4 slots within 5 slices", () =>
    Effect.gen(function* () {
      const slots = yield* ConnectionSlots
      const last = new Map<number, number>()
      let slice = 0
      let longest = 0
      const fibers = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => index),
        (index) =>
          Effect.forkChild(
            pollForever(slots, () => {
              longest = Math.max(longest, slice - (last.get(index) ?? 0))
              last.set(index, slice)
            }),
          ),
      )
      yield* settle
      for (slice = 1; slice <= 30; slice += 1) {
        yield* TestClock.adjust(600)
        yield* settle
        assert.strictEqual(slots.connections().open, 4)
      }
      assert.strictEqual(last.size, 20)
      assert.isAtMost(longest, 5)
      yield* Effect.forEach(fibers, Fiber.interrupt)
      assert.deepStrictEqual(slots.connections(), { open: 0, waiting: 0, max: 4 })
    }).pipe(Effect.provide(ConnectionSlots.layer), limits(4)),
  )

  it.effect("never cuts a poll whose answer has begun", () =>
    Effect.gen(function* () {
      const slots = yield* ConnectionSlots
      const lane = yield* slots.lane({ key: "a", priority: 0, onSlot: () => undefined })
      let cut = false
      const answered = yield* Effect.forkChild(
        slots.withSlot(lane, true, (slot) => {
          slot.answered()
          slot.signal.addEventListener("abort", () => (cut = true))
          return Effect.never
        }),
      )
      yield* settle
      const waiting = yield* Effect.forkChild(pollForever(slots, () => undefined))
      yield* settle
      yield* TestClock.adjust("1 minute")
      assert.isFalse(cut)
      assert.strictEqual(slots.connections().waiting, 1)
      yield* Fiber.interrupt(answered)
      yield* settle
      assert.deepStrictEqual(slots.connections(), { open: 1, waiting: 0, max: 1 })
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.provide(ConnectionSlots.layer), limits(1)),
  )

  it.effect("tells a lane when it gains its first slot and loses its last", () =>
    Effect.gen(function* () {
      const slots = yield* ConnectionSlots
      const heard: Array<boolean> = []
      const lane = yield* slots.lane({ key: "a", priority: 0, onSlot: (held) => heard.push(held) })
      const first = yield* Effect.forkChild(slots.withSlot(lane, false, () => Effect.never))
      const second = yield* Effect.forkChild(slots.withSlot(lane, false, () => Effect.never))
      yield* settle
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(heard, [true])
      yield* Fiber.interrupt(second)
      assert.deepStrictEqual(heard, [true, false])
    }).pipe(Effect.provide(ConnectionSlots.layer), limits(4)),
  )

  it.effect.prop(
    "leaks nothing wherever a request is interrupted",
    {
      moments: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2000 }))),
      max: Schema.Literals([1, 2, 3]),
    },
    ({ max, moments }) =>
      Effect.gen(function* () {
        const slots = yield* ConnectionSlots
        const fibers = yield* Effect.forEach(moments, (moment, index) =>
          Effect.forkChild(
            Effect.gen(function* () {
              const fiber = yield* Effect.forkChild(pollForever(slots, () => undefined, index % 3))
              if (moment > 0) yield* Effect.sleep(moment)
              yield* Fiber.interrupt(fiber)
            }),
          ),
        )
        for (let step = 0; step < 25; step += 1) {
          assert.isAtMost(slots.connections().open, max)
          yield* TestClock.adjust(100)
          yield* settle
        }
        yield* Effect.forEach(fibers, Fiber.join)
        assert.deepStrictEqual(slots.connections(), { open: 0, waiting: 0, max })
      }).pipe(Effect.provide(ConnectionSlots.layer), limits(max)),
  )
})

describe("Mailbox", () => {
  /** A listener that notes what it hears and asks for the next event only when told to. */
  const listening = () => {
    const heard: Array<SourceEvent> = []
    const failures: Array<ShapeError> = []
    let more: () => void = () => undefined
    const mailbox = new Mailbox({
      onEvent: (event, next) => {
        heard.push(event)
        more = next
      },
      onEnd: (error) => void failures.push(error),
    })
    return { mailbox, heard, failures, next: () => more() }
  }

  it.effect("resolves a batch when the event after it is asked for", () =>
    Effect.gen(function* () {
      const { heard, mailbox, next } = listening()
      let ready = false
      const offered = mailbox.offerBatch(batch({ offset: "0_0" })).then(() => (ready = true))
      mailbox.offerSignal(signal("request"))
      assert.deepStrictEqual(
        heard.map(({ _tag }) => _tag),
        ["Batch"],
      )
      yield* Effect.promise(() => Promise.resolve())
      assert.isFalse(ready)
      next()
      yield* Effect.promise(() => offered)
      assert.isTrue(ready)
      assert.deepStrictEqual(
        heard.map(({ _tag }) => _tag),
        ["Batch", "Signal"],
      )
    }),
  )

  it("keeps the newest slot signal and a bounded number of requests while its listener is busy", () => {
    const { heard, mailbox, next } = listening()
    mailbox.offerMustRefetch({ _tag: "MustRefetch" })
    for (let turn = 0; turn < 1000; turn += 1) {
      mailbox.offerSignal(signal(turn % 2 === 0 ? "slot-gained" : "slot-lost"))
      mailbox.offerSignal(signal("request"))
    }
    assert.strictEqual(heard.length, 1)
    for (let turn = 0; turn < 100; turn += 1) next()
    assert.strictEqual(heard.length, 1 + maxRequestSignals + 1)
    assert.deepStrictEqual(
      heard.filter((event) => event._tag === "Signal" && event.signal !== "request"),
      [signal("slot-lost")],
    )
  })

  it("tells a failure after everything before it, once, and nothing more", () => {
    const { failures, heard, mailbox, next } = listening()
    const failure = (message: string) => new ShapeError({ key: "a", reason: new Network({ message }) })
    const first = failure("gone")
    mailbox.offerMustRefetch({ _tag: "MustRefetch" })
    mailbox.offerSignal(signal("request"))
    mailbox.fail(first)
    mailbox.fail(failure("again"))
    next()
    assert.deepStrictEqual(failures, [])
    next()
    mailbox.offerSignal(signal("request"))
    next()
    assert.deepStrictEqual(failures, [first])
    assert.strictEqual(heard.length, 2)
  })

  it("delivers any number of events to a listener that asks at once", () => {
    let seen = 0
    const mailbox = new Mailbox({
      onEvent: (_, next) => {
        seen += 1
        // Says something while it is heard: delivered after, not within.
        if (seen < 100_000) mailbox.offerSignal(signal("request"))
        next()
      },
      onEnd: () => undefined,
    })
    mailbox.offerSignal(signal("request"))
    assert.strictEqual(seen, 100_000)
  })

  it.effect("lets everyone go when it is closed", () =>
    Effect.gen(function* () {
      const { mailbox } = listening()
      const first = mailbox.offerBatch(batch({ offset: "0_0" }))
      const second = mailbox.offerBatch(batch({ offset: "0_1" }))
      mailbox.close()
      yield* Effect.promise(() => Promise.all([first, second, mailbox.offerBatch(batch({ offset: "0_2" }))]))
    }),
  )
})
