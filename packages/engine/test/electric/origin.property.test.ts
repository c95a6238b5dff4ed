/** The breaker and the budget of one origin, under random outcomes and in the storms they exist for. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import {
  allowance,
  gateOf,
  healthyOrigin,
  type OriginEvent,
  type OriginLimits,
  type OriginState,
  stepOrigin,
} from "../../src/adapters/electric/origin.ts"
import { defaultEngineConfig } from "../../src/ports/EngineConfig.ts"

const limits: OriginLimits = { ...defaultEngineConfig, recoveryRequestsPerSecond: 10 }

const choice = Schema.Struct({
  kind: Schema.Literals(["send", "answer", "fail", "fail-after", "drop", "wait"]),
  amount: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3_000 })),
})

const eventOf = ({ amount, kind }: typeof choice.Type, open: Array<number>): OriginEvent | null => {
  const id = open.shift()
  if (id === undefined) return null
  if (kind === "answer") return { _tag: "Answered", left: amount % 5 }
  if (kind === "drop") return { _tag: "Returned", id }
  const retryAfterMillis = kind === "fail-after" ? amount : 0
  return { _tag: "Failed", retryAfterMillis, random: (amount % 100) / 100, lanes: amount % 5 }
}

const failing = (retryAfterMillis: number, lanes = 1_000): OriginEvent => ({
  _tag: "Failed",
  retryAfterMillis,
  random: 0.5,
  lanes,
})

const answered = (left: number): OriginEvent => ({ _tag: "Answered", left })

describe("origin", () => {
  it.effect.prop(
    "never sends more than the budget within a second after a failure, and always says when to ask again",
    { choices: Schema.Array(choice) },
    ({ choices }) =>
      Effect.sync(() => {
        let state: OriginState = healthyOrigin
        let now = 0
        let id = 0
        const open: Array<number> = []
        const sent: Array<number> = []
        for (const step of choices) {
          const { at, grants } = allowance(state, now, limits)
          if (state.owed === 0) sent.length = 0
          // Nothing may be sent: then either a time is named, or a probe is under way.
          if (grants === 0 && at === null) assert.include(open, state.probe)
          if (at !== null) assert.isAbove(at, now)
          if (step.kind === "wait") now += step.amount
          else if (step.kind === "send") {
            if (grants === 0) continue
            id += 1
            open.push(id)
            state = stepOrigin(state, { _tag: "Sent", id }, now, limits)
            if (state.owed > 0) sent.push(now)
          } else {
            // The probe's outcome is told apart by its ticket only when it is dropped.
            const probe = open.indexOf(state.probe ?? -1)
            if (probe > 0) open.unshift(...open.splice(probe, 1))
            const event = eventOf(step, open)
            if (event !== null) state = stepOrigin(state, event, now, limits)
          }
          assert.isAtMost(sent.filter((time) => now - time < 1_000).length, limits.recoveryRequestsPerSecond)
        }
      }),
  )

  it("has no budget while it is healthy", () => {
    assert.deepStrictEqual(allowance(healthyOrigin, 0, limits), { grants: Infinity, at: null })
  })

  it("opens after so many failures in a row, lets one probe through, and waits longer when it fails", () => {
    let state: OriginState = healthyOrigin
    for (let count = 0; count < limits.breakerFailures; count += 1)
      state = stepOrigin(state, failing(0), 0, limits)
    const first = allowance(state, 0, limits)
    assert.deepStrictEqual(first, { grants: 0, at: 350 })
    assert.strictEqual(allowance(state, 350, limits).grants, 1)
    state = stepOrigin(state, { _tag: "Sent", id: 7 }, 350, limits)
    assert.strictEqual(allowance(state, 350, limits).grants, 0)
    state = stepOrigin(state, failing(0), 400, limits)
    assert.deepStrictEqual(allowance(state, 400, limits), { grants: 0, at: 1_000 })
    state = stepOrigin(state, { _tag: "Sent", id: 8 }, 1_000, limits)
    state = stepOrigin(state, answered(1), 1_020, limits)
    assert.deepStrictEqual(allowance(state, 1_020, limits), { grants: 0, at: 1_100 })
  })

  it("says which gate holds requests back, and until when", () => {
    const gate = (state: OriginState, now: number) => gateOf(state, now, limits)
    assert.isNull(gate(healthyOrigin, 0))
    let state: OriginState = healthyOrigin
    for (let count = 0; count < limits.breakerFailures; count += 1)
      state = stepOrigin(state, failing(0), 0, limits)
    assert.deepStrictEqual(gate(state, 50), { gate: "breaker", millis: 300 })
    assert.isNull(gate(state, 350))
    state = stepOrigin(state, { _tag: "Sent", id: 7 }, 350, limits)
    assert.deepStrictEqual(gate(state, 360), { gate: "probe", millis: null })
    state = stepOrigin(state, answered(1), 360, limits)
    assert.deepStrictEqual(gate(state, 360), { gate: "budget", millis: 90 })
    state = stepOrigin(state, failing(7_000), 400, limits)
    assert.deepStrictEqual(gate(state, 1_400), { gate: "retry-after", millis: 6_000 })
  })

  it("lets the next probe through when one ended without an outcome", () => {
    let state: OriginState = healthyOrigin
    for (let count = 0; count < limits.breakerFailures; count += 1)
      state = stepOrigin(state, failing(0), 0, limits)
    state = stepOrigin(state, { _tag: "Sent", id: 7 }, 350, limits)
    state = stepOrigin(state, { _tag: "Returned", id: 7 }, 360, limits)
    assert.deepStrictEqual(allowance(state, 360, limits), { grants: 0, at: 450 })
    assert.strictEqual(allowance(state, 450, limits).grants, 1)
  })

  it("takes one Retry-After as a floor for everybody, also when earlier requests are still answered", () => {
    let state = stepOrigin(healthyOrigin, failing(7_000), 100, limits)
    state = stepOrigin(state, answered(1), 200, limits)
    assert.deepStrictEqual(allowance(state, 300, limits), { grants: 0, at: 7_100 })
    assert.strictEqual(allowance(state, 7_100, limits).grants, 1)
  })

  it("lifts the budget once every running instance has been answered again", () => {
    let state = stepOrigin(healthyOrigin, failing(0, 20), 0, limits)
    assert.strictEqual(allowance(state, 0, limits).grants, Infinity, "one failure alone slows nobody down")
    assert.strictEqual(stepOrigin(state, answered(20), 0, limits).failures, 0)
    state = stepOrigin(state, failing(0, 20), 0, limits)
    for (let count = 0; count < 20; count += 1) {
      assert.isAtMost(allowance(state, 5_000, limits).grants, 1)
      state = stepOrigin(state, answered(20 - count), 5_000, limits)
    }
    // The same few may be answered many times: only who was not yet counts.
    assert.isAtMost(allowance(state, 5_000, limits).grants, 1)
    state = stepOrigin(state, answered(0), 5_000, limits)
    assert.strictEqual(allowance(state, 5_000, limits).grants, Infinity)
  })
})
