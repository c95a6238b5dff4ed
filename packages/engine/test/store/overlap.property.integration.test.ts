/** The same random interleavings on PGlite; fewer, because each step is real SQL; every second one is given packed rows. `ENGINE_SEED`, `ENGINE_RUNS` as there. */
import type { PGlite } from "@electric-sql/pglite"
import { afterAll, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { harnessOn, openPglite } from "./pgliteHarness.ts"
import { overlapGraph, overlapRun } from "./overlapRun.ts"

const first = Number(process.env["ENGINE_SEED"] ?? 1)
const runs = Math.ceil(Number(process.env["ENGINE_RUNS"] ?? 400) / 40)

describe("PgliteLocalStore", () => {
  let pglite: PGlite
  beforeAll(async () => {
    pglite = await openPglite()
  })
  afterAll(() => pglite.close())

  it.live(
    `agrees with a naive reader per instance in ${runs} random runs`,
    () =>
      Effect.gen(function* () {
        for (let seed = first; seed < first + runs; seed++) {
          // Every second run sends even one row by COPY, every fourth is given packed rows.
          const options = { fewestCopied: seed % 2 === 0 ? 50 : 1, packed: seed % 4 > 1 }
          yield* overlapRun(yield* harnessOn(pglite, overlapGraph, options), seed)
        }
      }),
    Math.max(120_000, runs * 2_000),
  )
})
