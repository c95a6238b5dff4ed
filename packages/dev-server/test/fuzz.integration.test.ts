/** Fixed samples of the long runs of `pnpm fuzz`: random requests, and kills at random moments. */
import { assert, describe, it } from "vitest"
import { killRun } from "../fuzz/kills.ts"
import { fuzz } from "../fuzz/run.ts"

describe("Random requests", () => {
  it("are answered in documented forms, with rows of the asked filter only, and leave no waiter", async () => {
    const { findings, requests, rowsChecked, waitersLeft } = await fuzz({ requests: 1_500, seed: 7 })
    assert.deepStrictEqual([findings, requests, waitersLeft], [[], 1_500, 0])
    assert.isAbove(rowsChecked, 100)
  }, 60_000)
})

describe("A server that is killed at random moments", () => {
  it("lets clients go on with exactly the rows of the database, or tells them to begin again", async () => {
    const { continued, findings, refetched } = await killRun({ kills: 3, seed: 5 })
    assert.deepStrictEqual([findings, continued + refetched], [[], 9])
  }, 120_000)
})
