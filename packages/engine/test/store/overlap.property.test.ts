/** Random interleavings of overlapping shapes on the memory store. `ENGINE_SEED` and `ENGINE_RUNS` choose the seeds. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeMemoryStore } from "../../src/adapters/memory/index.ts"
import { overlapGraph, overlapRun } from "./overlapRun.ts"

const first = Number(process.env["ENGINE_SEED"] ?? 1)
const runs = Number(process.env["ENGINE_RUNS"] ?? 400)

describe("MemoryLocalStore", () => {
  it.effect(`agrees with a naive reader per instance in ${runs} random runs`, () =>
    Effect.gen(function* () {
      for (let seed = first; seed < first + runs; seed++) {
        const { controls, store } = yield* makeMemoryStore({ graph: overlapGraph })
        yield* overlapRun({ store: () => store, rows: controls.rows, reopen: controls.crash }, seed)
      }
    }),
  )
})
