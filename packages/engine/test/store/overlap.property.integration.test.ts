/** The same random interleavings on PGlite; fewer, because each step is real SQL. `ENGINE_SEED`, `ENGINE_RUNS` as there. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { randomRuns } from "./randomRuns.ts"

const seed = Number(process.env["ENGINE_SEED"] ?? 1)
const operations = Math.ceil(2 * Number(process.env["ENGINE_RUNS"] ?? 400))

describe("PgliteLocalStore", () => {
  it.live(
    `agrees with a naive reader per instance over ${operations} random operations`,
    () =>
      Effect.gen(function* () {
        const report = yield* randomRuns({ store: "pglite", operations, seed })
        assert.isAtLeast(report.operations, operations)
      }),
    120_000,
  )
})
