import { assert, describe, it } from "vitest"
import { Flushes } from "../src/host/Flushes.ts"

const failing = (failures: number) => {
  let flushes = 0
  return {
    count: () => flushes,
    flush: () => (++flushes <= failures ? Promise.reject(new Error("ENOENT")) : Promise.resolve()),
  }
}

/** A flush that ends when the test says so. */
const held = () => {
  let finish: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    finish = resolve
  })
  return { flush: () => done, finish: () => finish() }
}

describe("Flushes", () => {
  it("flushes again until it succeeds", async () => {
    const flushes = new Flushes({ retries: 3, delayMillis: 1 })
    const target = failing(2)
    const stored = flushes.next()
    await flushes.run(target.flush)
    await stored
    assert.equal(target.count(), 3)
  })

  it("gives the failure to the flush and to who waited when it lasts", async () => {
    const flushes = new Flushes({ retries: 2, delayMillis: 1 })
    const target = failing(99)
    const waited = flushes.next().catch((cause: unknown) => cause)
    const ended = await flushes.run(target.flush).catch((cause: unknown) => cause)
    assert.instanceOf(ended, Error)
    assert.equal(await waited, ended)
    assert.equal(target.count(), 3)
  })

  it("does not take a flush that had begun for one that holds a later write", async () => {
    const flushes = new Flushes()
    const first = held()
    const running = flushes.run(first.flush)
    let isStored = false
    const stored = flushes.next().then(() => {
      isStored = true
    })
    first.finish()
    await running
    assert.isFalse(isStored)
    await flushes.run(() => Promise.resolve())
    await stored
    assert.isTrue(isStored)
  })
})
