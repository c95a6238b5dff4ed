/** The command as a person or a script runs it: another process, its output a pipe. */
import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, it } from "vitest"
import { Graph, sql } from "../../src/graph/index.ts"

const command = fileURLToPath(new URL("../../src/cli/sim.ts", import.meta.url))
/** A seed whose trace is larger than a pipe takes at once. */
const longSeed = "1014"

const timeout = 180_000

const traceOf = async (seed: string): Promise<ReadonlyArray<string>> => {
  const args = ["--no-warnings", command, "--seed", seed, "--trace"]
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 })
  return stdout.trimEnd().split("\n")
}

it(
  "prints all of a long trace into a pipe, the same for the same seed in another process",
  { timeout },
  async () => {
    const [first, second] = [await traceOf(longSeed), await traceOf(longSeed)]
    expect(first.join("\n").length).toBeGreaterThan(65_536)
    expect(JSON.parse(first.at(-1) ?? "")).toMatchObject({ seeds: 1, failures: 0 })
    // The last line says how long it took.
    expect(first.slice(0, -1)).toEqual(second.slice(0, -1))
  },
)

const keys = ["crashes", "failures", "faults", "seeds", "seedsPerSecond", "steps", "virtualMs"]

const jsonOf = (...args: ReadonlyArray<string>) => {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["--no-warnings", command, "--json", "--workers", "1", ...args],
    { encoding: "utf8" },
  )
  return { status, report: JSON.parse(stdout) as Readonly<Record<string, unknown>> }
}

it("prints the documented JSON and ends with 0 when every seed holds", { timeout }, () => {
  const { report, status } = jsonOf("--seeds", "2", "--start", "5", "--profile", "calm")
  expect(Object.keys(report).toSorted()).toEqual(keys)
  expect(report).toMatchObject({ seeds: 2, failures: [] })
  expect(status).toBe(0)
})

it("names the seed, the invariant and the shrunk plan of a failure, and ends with 1", { timeout }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sim-"))
  try {
    // The model reads no free SQL, so every run of this graph fails.
    const graph = Graph.make({
      name: "free",
      tables: { notes: { columns: { id: "text" } } },
      nodes: { notes: { table: "notes", where: sql`length(id) > 3`, key: "notes" } },
    })
    const file = join(folder, "free.json")
    writeFileSync(file, JSON.stringify(graph))
    const { report, status } = jsonOf("--seed", "7", "--graph", file)
    expect(Object.keys(report).toSorted()).toEqual(keys)
    expect(report["failures"]).toMatchObject([
      { seed: 7, invariant: "no-crash", events: 0, plan: { seed: 7 } },
    ])
    expect(status).toBe(1)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
