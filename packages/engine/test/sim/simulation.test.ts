/**
 * Whole engines on virtual time: fixed seeds and a few fresh ones on three graphs, the plans that once broke an invariant, replay,
 * and shrinking. `ENGINE_SEED` and `ENGINE_RUNS` choose and lengthen the seeds; `pnpm sim` runs thousands.
 */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import { graph as buildings } from "../../examples/buildings.graph.ts"
import { graph as issues } from "../../examples/issues.graph.ts"
import { graph as workspaces } from "../../examples/workspaces.graph.ts"
import type { GraphData } from "../../src/graph/index.ts"
import { LocalStore } from "../../src/ports/LocalStore.ts"
import {
  describeFailure,
  memorySimStore,
  planOf,
  type Plan,
  runOptionsOf,
  runPlan,
  shrink,
  simulate,
  type SimStore,
} from "../../src/testing/index.ts"

const firstSeed = Number(process.env["ENGINE_SEED"] ?? 1)
const runs = Number(process.env["ENGINE_RUNS"] ?? 14)
const freshRuns = 3
const fresh = Math.floor(Math.random() * 1_000_000_000)
const timeout = 30_000 + runs * 2_000

// Whoever reads the log of a run must be able to run the same seeds again.
console.info(
  `simulation: seeds ${firstSeed} to ${firstSeed + runs - 1}, and fresh ones ${fresh} to ${fresh + freshRuns - 1}`,
)

const graphs: Readonly<Record<string, GraphData>> = { workspaces, issues, buildings }

const holds = async (graph: GraphData, seed: number): Promise<void> => {
  const outcome = await simulate(seed, { graph })
  expect(outcome.violation, `${graph.name}: ${describeFailure(outcome)}`).toBeNull()
}

const everything =
  "holds every invariant, whatever happens (I1, I2, I3, I4, I5, I6, I8, I10, I11, I12, I13, I15)"

describe("The simulation", () => {
  for (const [name, graph] of Object.entries(graphs)) {
    it(`${name}: ${everything}`, { timeout }, async () => {
      for (let seed = firstSeed; seed < firstSeed + runs; seed++) await holds(graph, seed)
    })

    it(`holds every invariant on ${name} for fresh seeds from ${fresh}`, { timeout }, async () => {
      for (let seed = fresh; seed < fresh + freshRuns; seed++) await holds(graph, seed)
    })
  }

  it("plays the same seed as the same run, line by line", { timeout }, async () => {
    for (const seed of [3, 5]) {
      const [one, other] = [
        await simulate(seed, { graph: issues, trace: true }),
        await simulate(seed, { graph: issues, trace: true }),
      ]
      expect(one.trace.length).toBeGreaterThan(100)
      expect(one.trace).toEqual(other.trace)
    }
  })
})

const plans = fileURLToPath(new URL("./plans", import.meta.url))

describe("A plan that broke an invariant once", () => {
  for (const file of readdirSync(plans)) {
    const { graph, plan } = JSON.parse(readFileSync(`${plans}/${file}`, "utf8")) as {
      graph: string
      plan: Plan
    }
    it(`holds: ${file.replace(".json", "").replaceAll("-", " ")}`, { timeout }, async () => {
      const known = graphs[graph]
      if (known === undefined) throw new Error(`${file} names no known graph`)
      const outcome = await runPlan(plan, runOptionsOf({ graph: known }))
      expect(outcome.violation, describeFailure(outcome)).toBeNull()
    })
  }
})

/** A store that forgets an instance and keeps its rows. */
const leakyStore = (graph: GraphData): Effect.Effect<SimStore> =>
  Effect.map(memorySimStore(graph), (inner) => ({
    ...inner,
    store: () =>
      LocalStore.of({
        ...inner.store(),
        collect: () => Effect.succeed({ outcomes: [], changes: {} }),
      }),
  }))

describe("A failing seed", () => {
  it(
    "shrinks to a plan of few events that breaks the same invariant and can be run again",
    { timeout: 120_000 },
    async () => {
      const options = runOptionsOf({ graph: workspaces, makeStore: leakyStore(workspaces) })
      let seed = 1
      let outcome = await runPlan(planOf(seed, { graph: workspaces }), options)
      while (outcome.violation === null)
        outcome = await runPlan(planOf(++seed, { graph: workspaces }), options)
      const small = await shrink(planOf(seed, { graph: workspaces }), outcome, options)
      expect(small.plan.events.length).toBeLessThanOrEqual(20)
      const written = JSON.parse(JSON.stringify(small.plan)) as Plan
      const again = await runPlan(written, options)
      expect(again.violation).toEqual(small.outcome.violation)
      expect(again.violation?.invariant).toBe(outcome.violation.invariant)
      expect(describeFailure(again)).toContain(`seed ${seed} breaks`)
    },
  )
})
