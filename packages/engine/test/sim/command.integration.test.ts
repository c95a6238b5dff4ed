/** The command as a person or a script runs it: another process, its output a pipe. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, it } from "vitest"

const command = fileURLToPath(new URL("../../src/cli/sim.ts", import.meta.url))
/** A seed whose trace is larger than a pipe takes at once. */
const longSeed = "1003"

const traceOf = async (seed: string): Promise<ReadonlyArray<string>> => {
  const args = ["--no-warnings", command, "--seed", seed, "--trace"]
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 })
  return stdout.trimEnd().split("\n")
}

it("prints all of a long trace into a pipe, the same for the same seed in another process", async () => {
  const [first, second] = [await traceOf(longSeed), await traceOf(longSeed)]
  expect(first.join("\n").length).toBeGreaterThan(65_536)
  expect(JSON.parse(first.at(-1) ?? "")).toMatchObject({ seeds: 1, failures: 0 })
  // The last line says how long it took.
  expect(first.slice(0, -1)).toEqual(second.slice(0, -1))
})
