/** A fixed sample of the random requests that `pnpm fuzz` sends in large numbers. */
import { assert, describe, it } from "vitest"
import { fuzz } from "../fuzz/run.ts"

describe("Random requests", () => {
  it("are answered in documented forms, with rows of the asked filter only, and leave no waiter", async () => {
    const { findings, requests, rowsChecked, waitersLeft } = await fuzz({ requests: 1_500, seed: 7 })
    assert.deepStrictEqual([findings, requests, waitersLeft], [[], 1_500, 0])
    assert.isAbove(rowsChecked, 100)
  }, 60_000)
})
