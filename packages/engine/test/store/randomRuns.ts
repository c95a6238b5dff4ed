/**
 * Many random runs (`overlapRun.ts`) on one kind of store, until a number of operations is reached. Bounded: each run is short and
 * starts from an empty store, so that a failing seed says it all. Used by `pnpm torture random` and by the tests.
 */
import * as Effect from "effect/Effect"
import { makeMemoryStore } from "../../src/adapters/memory/index.ts"
import type { LocalStoreHarness } from "../../src/testing/localStoreKit.ts"
import { overlapGraph, overlapRun, type Operations } from "./overlapRun.ts"
import { harnessOn, openPglite } from "./pgliteHarness.ts"

export type StoreKind = "memory" | "pglite"

export interface RandomOptions {
  readonly store: StoreKind
  /** Operations at least: the run that reaches them is the last. */
  readonly operations: number
  /** Seed of the first run; the following runs take the following seeds. */
  readonly seed: number
  /** Steps of one run. Default 60. */
  readonly steps?: number
  readonly log?: (line: string) => void
}

export interface RandomReport {
  readonly store: StoreKind
  readonly runs: number
  readonly operations: number
  readonly byKind: Operations
  readonly lastSeed: number
}

/** A database serves so many runs, then a new one does: bounds what a long run keeps in memory. */
const runsPerDatabase = 200

/** Runs until the number of operations is reached. Fails with the first difference, which names its seed. */
export const randomRuns = (options: RandomOptions): Effect.Effect<RandomReport, unknown> =>
  Effect.gen(function* () {
    const byKind: Operations = {}
    let operations = 0
    let seed = options.seed
    while (operations < options.operations) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const open = yield* opener(options.store)
          for (let run = 0; run < runsPerDatabase && operations < options.operations; run++) {
            const done = yield* overlapRun(yield* open(seed), seed, options.steps)
            for (const [kind, count] of Object.entries(done)) {
              byKind[kind] = (byKind[kind] ?? 0) + count
              operations += count
            }
            seed += 1
          }
        }),
      )
      options.log?.(`${options.store}: ${operations} operations, up to seed ${seed - 1}`)
    }
    return { store: options.store, runs: seed - options.seed, operations, byKind, lastSeed: seed - 1 }
  })

/** An effect that makes an empty store for a run. */
const opener = Effect.fnUntraced(function* (store: StoreKind) {
  if (store === "memory") {
    return () =>
      Effect.map(makeMemoryStore({ graph: overlapGraph }), (made): LocalStoreHarness => ({
        store: () => made.store,
        rows: made.controls.rows,
        reopen: made.controls.crash,
      }))
  }
  const pglite = yield* Effect.acquireRelease(
    Effect.promise(() => openPglite()),
    (opened) => Effect.promise(() => opened.close()),
  )
  // As a new process would find it: without the prepared statements of the stores before.
  const forget = Effect.promise(() => pglite.exec("deallocate all"))
  // Every second run sends even one row by COPY, every fourth is given packed rows.
  return (seed: number) =>
    Effect.andThen(
      forget,
      harnessOn(pglite, overlapGraph, { fewestCopied: seed % 2 === 0 ? 50 : 1, packed: seed % 4 > 1 }),
    )
})
