/** The limits per caller, against a naive account of the same arrivals. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { limitFaults, Limiter, maxCallers, take, type Bucket, type Limits } from "../src/limits.ts"

const arrivals = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: -50, maximum: 2_000 })))
const rate = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 }))

describe("a caller's bucket", () => {
  it.prop(
    "never lets through more than the burst and the rate allow in any stretch of time",
    [arrivals, rate, rate],
    ([pauses, requestsPerSecond, burst]) => {
      const limits: Limits = { requestsPerSecond, burst, concurrent: 1 }
      let bucket: Bucket | undefined
      let now = 0
      let latest = 0
      const taken: Array<number> = []
      for (const pause of pauses) {
        now += pause
        latest = Math.max(latest, now)
        const result = take(limits, bucket, now)
        bucket = result.bucket
        if (result._tag === "Taken") taken.push(latest)
        else assert.isAtLeast(result.retryAfterSeconds, 1)
      }
      for (const [first, start] of taken.entries()) {
        for (const [last, end] of taken.entries()) {
          if (last < first) continue
          const allowed = burst + (requestsPerSecond * (end - start)) / 1000
          assert.isAtMost(last - first + 1, allowed + 1e-6)
        }
      }
    },
  )

  it.prop("is worth asking again after the pause it names", [rate, rate], ([requestsPerSecond, burst]) => {
    const limits: Limits = { requestsPerSecond, burst, concurrent: 1 }
    let bucket: Bucket | undefined
    for (let i = 0; i < burst; i++) bucket = take(limits, bucket, 0).bucket
    const refused = take(limits, bucket, 0)
    assert(refused._tag === "Empty")
    assert.strictEqual(take(limits, refused.bucket, refused.retryAfterSeconds * 1000)._tag, "Taken")
  })
})

describe("open requests", () => {
  it("are counted per caller, and let go once however often they end", () => {
    const limiter = new Limiter({ concurrent: 2 })
    const first = limiter.enter("a", 0)
    assert(first._tag === "Entered")
    assert.strictEqual(limiter.enter("a", 0)._tag, "Entered")
    assert.deepStrictEqual(limiter.enter("a", 0), {
      _tag: "TooMany",
      what: "concurrent",
      retryAfterSeconds: 1,
    })
    assert.strictEqual(limiter.enter("b", 0)._tag, "Entered")
    first.leave()
    first.leave()
    assert.strictEqual(limiter.enter("a", 0)._tag, "Entered")
    assert.strictEqual(limiter.enter("a", 0)._tag, "TooMany")
  })

  it("keep their caller remembered when a flood of others comes", () => {
    const limiter = new Limiter({ concurrent: 1 })
    assert.strictEqual(limiter.enter("waiting", 0)._tag, "Entered")
    for (let i = 0; i < maxCallers + 10; i++) {
      const entry = limiter.enter(`caller ${i}`, 0)
      if (entry._tag === "Entered") entry.leave()
    }
    assert.strictEqual(limiter.enter("waiting", 0)._tag, "TooMany")
  })
})

describe("the option", () => {
  it("takes positive numbers only", () => {
    assert.deepStrictEqual(limitFaults({ requestsPerSecond: 1, burst: 2, concurrent: 3 }), [])
    assert.lengthOf(limitFaults({ requestsPerSecond: 0, burst: -1, concurrent: Number.NaN }), 3)
  })
})
