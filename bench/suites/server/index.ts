/** The suite of the dev-server: what changes, large snapshots and starts cost. */
import type { Measure, SuiteOptions } from "../../lib/measure.ts"
import { measureChangeCost, measureChangeRate } from "./changes.ts"
import { measureSnapshot, snapshotIds } from "./snapshot.ts"
import { measureStart, startIds } from "./start.ts"

export const serverIds = [
  "server.change-cost-2000-vs-10",
  "server.changes-per-second",
  ...snapshotIds,
  ...startIds,
] as const

/** Runs the suite. */
export const serverSuite = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const measures: Array<Measure> = []
  for (const part of [measureChangeCost, measureChangeRate, measureSnapshot, measureStart]) {
    measures.push(...(await part(options)))
  }
  return measures
}
