/**
 * Replays the recordings of the real server (1.7.12 on Postgres 15), all but two that take a minute each, against dev-servers
 * on a real Postgres 15 and explains each difference by data. Skipped, with the reason in the suite's name, where the
 * recordings are not beside the repository or no Postgres can be started.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { startPostgres } from "../conformance/postgres.ts"
import { hasGolden, scenarioNames } from "./support/golden.ts"
import { goldenDifferences, slowScenarios } from "./support/goldenDifferences.ts"
import { GoldenServers } from "./support/goldenServers.ts"

const started = hasGolden
  ? await startPostgres()
  : { reason: "the recordings are not beside the repository: there is nothing to compare with" }

const names = hasGolden ? scenarioNames().filter((name) => !slowScenarios.has(name)) : ["no recording"]

const stepOf = (difference: string): number => Number(/^\[(\d+)\]/u.exec(difference)?.[1] ?? -1)

// Skipped where there is nothing to compare with, or on; the reason is in the name.
describe.skipIf(started.reason !== undefined)(
  `Compared on Postgres with recordings of the real server${started.reason === undefined ? "" : ` (${started.reason})`}`,
  () => {
    let servers: GoldenServers

    beforeAll(async () => {
      if (started.postgres === undefined) return
      servers = await GoldenServers.start(await started.postgres.createDatabase("golden"))
    })

    afterAll(async () => {
      await servers.close()
      await started.postgres?.close()
    })

    it.each(names)(
      "%s is equal, or differs where the list says",
      async (name) => {
        const differences = await servers.compare(name)
        const known = goldenDifferences.find((difference) => difference.scenario === name)
        if (known === undefined) assert.deepStrictEqual(differences, [])
        else if (known.steps !== "timing") {
          const { steps } = known
          const unexplained = differences.filter((difference) => !steps.includes(stepOf(difference)))
          assert.deepStrictEqual(unexplained, [])
          assert.notDeepEqual(differences, [], "the scenario has become equal: take it off the list")
        }
      },
      120_000,
    )

    it("explains only recordings that exist", () => {
      const all = new Set(scenarioNames())
      assert.deepStrictEqual(
        goldenDifferences.filter(({ scenario }) => !all.has(scenario)),
        [],
      )
    })
  },
)
