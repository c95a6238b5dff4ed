/** The suite of the reconciler: every id it measures. */
import type { Measure, SuiteOptions } from "../../lib/measure.ts"
import { measureChurn } from "./churn.ts"
import { measureIncremental } from "./incremental.ts"
import { measureLive } from "./live.ts"

export const reconcileIds = [
  "slots.max-open",
  "fairness.max-min-ratio",
  "staleness.leased-vs-bound",
  "staleness.background-vs-bound",
  "incremental.cold-vs-one-change",
  "memory.idle-instance-bytes",
  "storm.peak-vs-budget",
  "storm.recovery-vs-ideal",
  "storm.background-before-leased",
  "churn.leaks",
] as const

/** Runs the suite. */
export const reconcileSuite = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const measures: Array<Measure> = []
  for (const part of [measureIncremental, measureLive, measureChurn]) measures.push(...(await part(options)))
  return measures.toSorted((left, right) => orderOf(left.id) - orderOf(right.id))
}

const orderOf = (id: string): number => (reconcileIds as ReadonlyArray<string>).indexOf(id)
