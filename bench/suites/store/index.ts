/** The suite of the local store: every id it measures, in order of importance. */
import type { Measure, SuiteOptions } from "../../lib/measure.ts"
import { measureApply } from "./apply.ts"
import { measureChanges } from "./changes.ts"
import { measureEndToEnd, measureFanIn } from "./endToEnd.ts"
import { measureRefetch } from "./refetch.ts"
import { measureBytes, measureIdle, measureMemory } from "./sizes.ts"

export const storeIds = [
  "apply.vs-copy-csv.disjoint",
  "apply.vs-copy-csv.overlap",
  "apply.vs-copy-binary.disjoint",
  "live.1-row",
  "live.100-rows",
  "bulk.updates-10k",
  "bulk.deletes-10k",
  "e2e.vs-pglite-sync-insert",
  "e2e.vs-pglite-sync-json",
  "e2e.vs-pglite-sync-csv",
  "fanin.vs-pglite-sync-insert",
  "fanin.vs-pglite-sync-csv",
  "refetch.blink-ms",
  "refetch.write-amplification",
  "provenance.bytes.disjoint",
  "provenance.bytes.overlap",
  "memory.apply-1m-mb",
  "idle.1000-instances",
] as const

/** Runs the suite. An id that is not measured yet is absent. */
export const storeSuite = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const measures: Array<Measure> = []
  const parts = [
    measureApply,
    measureChanges,
    measureEndToEnd,
    measureFanIn,
    measureRefetch,
    measureBytes,
    measureIdle,
    measureMemory,
  ]
  for (const part of parts) measures.push(...(await part(options)))
  return measures
}
