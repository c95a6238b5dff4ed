/**
 * The simulation as a user calls it: a graph, a seed, a profile; out comes what happened, and for a failure the smallest plan that
 * shows it. Same seed, same run, on every machine. Called by tests and by the command line.
 */
import type { GraphData } from "../../graph/Graph.ts"
import type { ColumnType } from "../../graph/Table.ts"
import type { Texts } from "../model/filters.ts"
import type { Plan } from "./events.ts"
import { generatePlan } from "./generate.ts"
import { profileNamed, profiles } from "./profiles.ts"
import { type RunOptions, type RunOutcome, runPlan } from "./runPlan.ts"
import { memorySimStore } from "./stores.ts"
import { invariants } from "./violations.ts"

/** All profiles in turn, one per seed. */
export const everyProfile = "all"

export interface SimulateOptions {
  readonly graph: GraphData
  /** Values of the graph's parameters as Postgres text. Default: one made up for each. */
  readonly params?: Texts
  /** A profile's name, or `all` (default). */
  readonly profile?: string
  /** Makes each run's store. Default: the memory store. */
  readonly makeStore?: RunOptions["makeStore"]
  readonly trace?: boolean
}

/** A value for every parameter of a graph. */
export const madeUpParams = (graph: GraphData): Texts =>
  Object.fromEntries(Object.entries(graph.params).map(([name, { type }]) => [name, madeUp(type)]))

const madeUp = (type: ColumnType): string => {
  if (type === "uuid") return "00000000-0000-4000-8000-0000000000aa"
  if (type === "bool") return "true"
  return type === "text" || type === "varchar" ? "me" : "1"
}

/** The plan of a seed. */
export const planOf = (seed: number, options: SimulateOptions): Plan => {
  const name = options.profile ?? everyProfile
  const profile = name === everyProfile ? profiles[Math.abs(seed) % profiles.length] : profileNamed(name)
  if (profile === undefined) throw new Error("there is no profile")
  return generatePlan(options.graph, options.params ?? madeUpParams(options.graph), profile, seed)
}

/** How a plan of these options is run. */
export const runOptionsOf = (options: SimulateOptions): RunOptions => ({
  graph: options.graph,
  params: options.params ?? madeUpParams(options.graph),
  makeStore: options.makeStore ?? memorySimStore(options.graph),
  trace: options.trace ?? false,
})

/** Runs one seed. Never rejects: what breaks is the outcome's violation. */
export const simulate = (seed: number, options: SimulateOptions): Promise<RunOutcome> =>
  runPlan(planOf(seed, options), runOptionsOf(options))

/** A failed run in words. */
export const describeFailure = (outcome: RunOutcome): string => {
  const { seed, violation } = outcome
  if (violation === null) return `seed ${seed} holds every invariant`
  const { atMillis, invariant, message } = violation
  return `seed ${seed} breaks "${invariant}" after ${atMillis} virtual ms\n  ${invariants[invariant]}\n  ${message}`
}
