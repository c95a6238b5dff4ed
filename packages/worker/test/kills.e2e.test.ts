/**
 * A sample of the long runs `pnpm torture host` and `pnpm torture leaders`: whole browsers are killed while they sync, and leaders are
 * ended in every way a tab can end. The seeds are fixed; the runs themselves assert what must hold.
 */
import { assert, describe, it } from "vitest"
import { hardKills } from "./support/hardKills.ts"
import { leaderKills } from "./support/leaderKills.ts"

const timeout = 240_000

describe("A killed browser", () => {
  it(
    "leaves a database that opens, shows no row that never was, and syncs on, one kill after another",
    async () => {
      const report = await hardKills({ kills: 4, seed: 100 })
      assert.equal(report.leftRows + report.leftNothing, 4)
      assert.isAtLeast(report.leftRows, 1)
      assert.isAtMost(report.redownloadedPerShapeMax, 2 * report.chunkBytes)
    },
    timeout,
  )
})

describe("A leader that ends", () => {
  it(
    "is followed by one other, without a call that hangs, a read that sees nothing, or two engines at once",
    async () => {
      const report = await leaderKills({ kills: 4, seed: 3 })
      assert.equal(report.overlaps, 0)
      assert.isAbove(report.reads, 0)
      assert.equal(report.ways.close + report.ways.terminate + report.ways.crash, 4)
    },
    timeout,
  )
})
