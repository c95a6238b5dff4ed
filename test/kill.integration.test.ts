/** A few processes killed at random moments; `pnpm torture kill` kills hundreds. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { killRuns } from "./support/killRuns.ts"

describe("a killed process", () => {
  it.live(
    "leaves whole rows that somebody holds, and the next one brings them to the server's",
    () =>
      Effect.gen(function* () {
        const report = yield* killRuns({ kills: 5, seed: 1 })
        assert.strictEqual(report.kills, 5)
        assert.isAbove(report.writes, 20)
      }),
    300_000,
  )
})
