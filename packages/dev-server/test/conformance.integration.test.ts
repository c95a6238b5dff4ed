/** The conformance suite against the embedded server, and the suite itself: its lists are sound and its report counts. */
import { assert, describe, it } from "vitest"
import { test } from "../conformance/Case.ts"
import { startEmbedded, startOnPostgres } from "../conformance/embedded.ts"
import { startPostgres } from "../conformance/postgres.ts"
import { allCases, checkLists, runCases } from "../conformance/run.ts"

const started = await startPostgres()

describe("Conformance", () => {
  it("has cases with names of their own, and differences that name cases", () => {
    assert.deepStrictEqual(checkLists(allCases), [])
    assert.isAbove(allCases.length, 500)
    assert.deepStrictEqual(checkLists([...allCases, ...allCases.slice(0, 1)]), [
      `two cases are called ${allCases[0]?.id}`,
    ])
  })

  it("passes on the embedded server, and counts a case that fails and one that cannot run", async () => {
    const embedded = await startEmbedded()
    const failing = test(0, "fails", "fails", () => Promise.reject(new Error("on purpose")))
    const needy = { ...test(0, "needs", "needs a secret", () => Promise.resolve()), needs: "secret" as const }
    const { main } = embedded.servers
    try {
      const report = await runCases(allCases, embedded.servers, embedded.sql, 8)
      assert.deepStrictEqual(
        report.cases.filter((one) => one.ok !== true),
        [],
      )
      const poor = {
        main,
        secret: null,
        secretValue: "",
        chunk: null,
        allowsDelete: false,
        restartable: null,
      }
      const counted = await runCases([failing, needy], poor, embedded.sql, 2)
      assert.deepStrictEqual([counted.passed, counted.failed, counted.skipped], [0, 1, 1])
      assert.deepStrictEqual(
        counted.cases.map((one) => one.detail),
        ["on purpose", "no server with a secret was given"],
      )
    } finally {
      await embedded.close()
    }
  }, 180_000)

  // Skipped where no Postgres can be started; the reason is in the name.
  it.skipIf(started.reason !== undefined)(
    `passes on a real Postgres${started.reason === undefined ? "" : ` (${started.reason})`}`,
    async () => {
      const { postgres } = started
      if (postgres === undefined) return
      const embedded = await startOnPostgres(await postgres.createDatabase("conformance"))
      try {
        const report = await runCases(allCases, embedded.servers, embedded.sql, 8)
        assert.deepStrictEqual(
          report.cases.filter((one) => one.ok !== true),
          [],
        )
      } finally {
        await embedded.close()
        await postgres.close()
      }
    },
    180_000,
  )
})
