import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { defaultFlushBehindLimits as limits, FlushBehind } from "../src/host/storage/FlushBehind.ts"

/** A storage whose flushes end when the test says how. */
const storage = () => {
  const open: Array<PromiseWithResolvers<void>> = []
  let begun = 0
  return {
    begun: () => begun,
    flush: () => {
      begun += 1
      const flush = Promise.withResolvers<void>()
      open.push(flush)
      return flush.promise
    },
    end: () => open.shift()!.resolve(),
    fail: () => open.shift()!.reject(new Error("full")),
  }
}

describe("FlushBehind", () => {
  // Timers and the clock behind `performance.now` move together, by hand.
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("lets commits go on and stores several at once, after a short delay", async () => {
    const disk = storage()
    const behind = new FlushBehind(disk.flush)
    await behind.soon(10)
    await behind.soon(10)
    assert.isTrue(behind.isBehind)
    assert.equal(disk.begun(), 0)
    await vi.advanceTimersByTimeAsync(limits.delayMillis)
    assert.equal(disk.begun(), 1)
    disk.end()
    await vi.advanceTimersByTimeAsync(10 * limits.maxAgeMillis)
    assert.equal(disk.begun(), 1)
    assert.isFalse(behind.isBehind)
  })

  it("makes a commit wait that is too many bytes behind, or too old", async () => {
    for (const [bytes, millis] of [
      [limits.maxBytes, 0],
      [1, limits.maxAgeMillis],
    ] as const) {
      const disk = storage()
      const behind = new FlushBehind(disk.flush)
      await behind.soon(bytes)
      // With time, its flush has begun and takes long.
      await vi.advanceTimersByTimeAsync(millis)
      let ended = false
      const committed = behind.soon(1).then(() => (ended = true))
      await vi.advanceTimersByTimeAsync(limits.maxAgeMillis)
      assert.isFalse(ended)
      for (let flushes = disk.begun(); flushes > 0; flushes--) disk.end()
      await committed
      assert.isFalse(behind.isBehind)
    }
  })

  it("tells every commit after a failed flush, until one succeeds; tries by itself as well", async () => {
    const disk = storage()
    const behind = new FlushBehind(disk.flush)
    await behind.soon(1)
    await vi.advanceTimersByTimeAsync(limits.delayMillis)
    disk.fail()
    await vi.advanceTimersByTimeAsync(0)
    assert.isTrue(behind.isBehind)
    const refused = behind.soon(1).catch((error: Error) => error.message)
    disk.fail()
    assert.equal(await refused, "full")
    await vi.advanceTimersByTimeAsync(limits.retryMillis)
    assert.equal(disk.begun(), 3)
    disk.end()
    await vi.advanceTimersByTimeAsync(0)
    assert.isFalse(behind.isBehind)
    await behind.soon(1)
    assert.equal(disk.begun(), 3)
  })

  it("counts what is committed during a flush to the next one", async () => {
    const disk = storage()
    const behind = new FlushBehind(disk.flush)
    await behind.soon(1)
    const stored = behind.now()
    await behind.soon(1)
    disk.end()
    await stored
    assert.isTrue(behind.isBehind)
    await vi.advanceTimersByTimeAsync(limits.delayMillis)
    assert.equal(disk.begun(), 2)
    behind.close()
  })
})
