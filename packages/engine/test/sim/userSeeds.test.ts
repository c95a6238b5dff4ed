/** A user's own graph through the simulator. Quoted by docs/testing.md. */
// #region seeds
import { describeFailure, simulate } from "@espalier/engine/testing"
import { expect, it } from "vitest"
import { graph } from "../../examples/issues.graph.ts"

const first = Number(process.env["ENGINE_SEED"] ?? 1)
const seeds = Number(process.env["ENGINE_RUNS"] ?? 10)

it("holds every invariant, whatever happens", { timeout: 120_000 }, async () => {
  for (let seed = first; seed < first + seeds; seed++) {
    const outcome = await simulate(seed, {
      graph,
      params: { userId: "00000000-0000-4000-8000-0000000000aa", label: "urgent" },
    })
    expect(outcome.violation, describeFailure(outcome)).toBeNull()
  }
})
// #endregion
