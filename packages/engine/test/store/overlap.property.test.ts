/** Random interleavings of overlapping shapes on the memory store. `ENGINE_SEED` and `ENGINE_RUNS` choose the seeds. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { randomRuns } from "./randomRuns.ts"

const seed = Number(process.env["ENGINE_SEED"] ?? 1)
const operations = 60 * Number(process.env["ENGINE_RUNS"] ?? 400)

describe("MemoryLocalStore", () => {
  it.effect(
    `agrees with a naive reader per instance over ${operations} random operations`,
    () =>
      Effect.gen(function* () {
        const report = yield* randomRuns({ store: "memory", operations, seed })
        assert.isAtLeast(Object.keys(report.byKind).length, 9, "every kind of operation happens")
      }),
    120_000,
  )
})
