/** A few of the deliberate defects, so that a simulation that catches nothing is noticed; `pnpm sim:mutations` tries them all. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const command = fileURLToPath(new URL("./mutations/run.ts", import.meta.url))
const few = ["no-provenance", "swap-keeps-old", "blink", "leaked-slot", "acknowledgement-lost"]

it("catches deliberate defects of the store, the slots and the reconciler", { timeout: 120_000 }, () => {
  const only = few.flatMap((id) => ["--only", id])
  const { stdout } = spawnSync(process.execPath, [command, ...only, "--seeds", "400", "--json"], {
    encoding: "utf8",
  })
  const { mutations } = JSON.parse(stdout) as { mutations: ReadonlyArray<{ id: string; caught: boolean }> }
  expect(mutations.filter(({ caught }) => !caught)).toEqual([])
  expect(mutations).toHaveLength(few.length)
})
