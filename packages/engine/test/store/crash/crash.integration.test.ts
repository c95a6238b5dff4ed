/** A fixed sample of crashes at statement boundaries; `pnpm torture crash` does thousands. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { crashPoints } from "./crashPoints.ts"

/** One piece of work of each of these; together they pass through every step of a commit. */
const sample = [
  "first chunk by COPY",
  "move-out",
  "swap",
  "refused share",
  "collect",
  "wipe",
  "schema change",
]

describe("a killed store", () => {
  it.live(
    "holds the state before or after its work, and converges, wherever it was killed",
    () =>
      Effect.gen(function* () {
        const report = yield* crashPoints({ points: 1, seed: 1, only: sample })
        assert.deepStrictEqual(Object.keys(report.byKind), sample)
        assert.isAtLeast(report.points, 150)
        assert.isAtLeast(report.states, 15)
        for (const statement of [
          "copy",
          "savepoint",
          "rollback",
          "with",
          "insert",
          "delete",
          "drop",
          "commit",
          "flush",
        ])
          assert.include(report.statements, statement)
      }),
    180_000,
  )

  it.live(
    "survives being killed in VACUUM, ANALYZE and CHECKPOINT",
    () =>
      Effect.gen(function* () {
        const only = ["write after VACUUM", "write after CHECKPOINT"]
        const report = yield* crashPoints({ points: 1, seed: 1, only })
        for (const statement of ["vacuum", "begin", "checkpoint"])
          assert.include(report.statements, statement)
      }),
    180_000,
  )
})
