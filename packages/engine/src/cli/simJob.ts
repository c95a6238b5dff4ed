/**
 * Runs a share of the seeds in this thread and sums up. Exists apart from the command so that every thread can do it. Opens one
 * PGlite at most and uses it for all of its seeds, because starting a database costs more than a run.
 */
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import type { GraphData } from "../graph/Graph.ts"
import { quoteIdent } from "../protocol/compile.ts"
import type { TextRow } from "../protocol/Message.ts"
import type { Plan } from "../testing/sim/events.ts"
import type { SimStore } from "../testing/sim/GuardedStore.ts"
import { type RunOptions, runPlan } from "../testing/sim/runPlan.ts"
import { shrink } from "../testing/sim/shrink.ts"
import { describeFailure, madeUpParams, planOf, runOptionsOf } from "../testing/sim/simulate.ts"
import { loadGraph } from "./loadGraph.ts"

export interface Job {
  readonly start: number
  /** Distance to the next seed of this share. */
  readonly step: number
  readonly seeds: number
  readonly profile: string
  readonly store: "memory" | "pglite"
  /** A file, or null for the example. */
  readonly graph: string | null
  readonly params: Readonly<Record<string, string>>
  readonly trace: boolean
  /** End at the first failure, without shrinking it. */
  readonly stop: boolean
  /** Run this plan instead of seeds. */
  readonly plan: Plan | null
}

export interface Failure {
  readonly seed: number
  readonly invariant: string
  readonly message: string
  /** Events of the shrunk plan. */
  readonly events: number
  readonly plan: Plan
}

export interface Summary {
  readonly seeds: number
  readonly steps: number
  readonly virtualMs: number
  readonly crashes: number
  readonly faults: number
  readonly failures: ReadonlyArray<Failure>
  readonly trace: ReadonlyArray<string>
}

const example = fileURLToPath(new URL("../../examples/workspaces.graph.ts", import.meta.url))

/** Failures that are shrunk; the others are only named. */
const maxShrunk = 3

/** Runs the seeds of a job one after the other. */
export const runJob = async (job: Job): Promise<Summary> => {
  const graph = await loadGraph(job.graph ?? example)
  const params = { ...madeUpParams(graph), ...job.params }
  const makeStore = job.store === "pglite" ? await pgliteStores(graph) : undefined
  const options = {
    graph,
    params,
    profile: job.profile,
    trace: job.trace,
    ...(makeStore === undefined ? {} : { makeStore }),
  }
  const run = runOptionsOf(options)
  const total = { seeds: 0, steps: 0, virtualMs: 0, crashes: 0, faults: 0 }
  const failures: Array<Failure> = []
  const trace: Array<string> = []
  for (let index = 0; index < job.seeds; index++) {
    const plan = job.plan ?? planOf(job.start + index * job.step, options)
    const outcome = await runPlan(plan, run)
    total.seeds++
    total.steps += outcome.steps
    total.virtualMs += outcome.virtualMillis
    total.crashes += outcome.crashes
    total.faults += outcome.faults
    trace.push(...outcome.trace)
    if (outcome.violation === null) continue
    const shrinks = failures.length < maxShrunk && job.plan === null && !job.stop
    const small = shrinks ? await shrink(plan, outcome, run) : { plan, outcome }
    failures.push({
      seed: plan.seed,
      invariant: outcome.violation.invariant,
      message: describeFailure(small.outcome),
      events: small.plan.events.length,
      plan: small.plan,
    })
    if (job.stop) break
  }
  return { ...total, failures, trace }
}

/** Empty stores on one PGlite. */
const pgliteStores = async (graph: GraphData): Promise<RunOptions["makeStore"]> => {
  const { PGlite } = await import("@electric-sql/pglite")
  const { PgliteLocalStore } = await import("../adapters/pglite/PgliteLocalStore.ts")
  const pglite = await PGlite.create()
  const open = PgliteLocalStore.make({ pglite, graph })
  const rows = (name: string): Effect.Effect<ReadonlyArray<TextRow>, unknown> => {
    const table = graph.tables[name]
    const columns = Object.keys(table?.columns ?? {}).map(
      (column) => `${quoteIdent(column)}::text as ${quoteIdent(column)}`,
    )
    const keys = (table?.primaryKey ?? []).map((column) => `${quoteIdent(column)}::text collate "C"`)
    const text = `select ${columns.join(", ")} from ${quoteIdent(name)} order by ${keys.join(", ")}`
    return Effect.tryPromise(async () => (await pglite.query<TextRow>(text)).rows)
  }
  return Effect.gen(function* () {
    let store = yield* open
    yield* store.wipe
    const simulated: SimStore = {
      store: () => store,
      rows,
      reopen: Effect.map(open, (opened) => {
        store = opened
      }),
    }
    return simulated
  })
}
