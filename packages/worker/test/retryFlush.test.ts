import { assert, describe, it } from "vitest"
import { retryFlush } from "../src/host/retryFlush.ts"

const failing = (failures: number) => {
  let flushes = 0
  return {
    count: () => flushes,
    flush: () => (++flushes <= failures ? Promise.reject(new Error("ENOENT")) : Promise.resolve()),
  }
}

describe("retryFlush", () => {
  it("flushes again until it succeeds", async () => {
    const target = failing(2)
    await retryFlush(target.flush, { retries: 3, delayMillis: 1 })
    assert.equal(target.count(), 3)
  })

  it("gives the failure back when it lasts", async () => {
    const target = failing(99)
    const error = await retryFlush(target.flush, { retries: 2, delayMillis: 1 }).catch(
      (cause: unknown) => cause,
    )
    assert.instanceOf(error, Error)
    assert.equal(target.count(), 3)
  })
})
