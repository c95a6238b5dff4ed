/** From nothing to the ready line of the command: in memory from the prepared database, and on a data directory in use. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { at } from "../../../scripts/lib/paths.ts"
import { take } from "../../lib/devServer.ts"
import { atMost, type Measure, measureOf, type SuiteOptions } from "../../lib/measure.ts"

export const startIds = ["server.start-prepared-ms", "server.start-existing-ms"] as const

/** Starts the command, and stops it after `use`. */
const startCommand = async (
  args: ReadonlyArray<string>,
  use: (url: string) => Promise<unknown>,
): Promise<number> => {
  const start = performance.now()
  const child = spawn(process.execPath, [at("packages/dev-server/src/cli.ts"), "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  })
  const [line] = (await once(child.stdout, "data")) as [Buffer]
  const millis = performance.now() - start
  await use((JSON.parse(line.toString()) as { readonly url: string }).url)
  child.kill("SIGTERM")
  await once(child, "exit")
  return millis
}

export const measureStart = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  if (!startIds.some((id) => options.wants(id))) return []
  const folder = mkdtempSync(join(tmpdir(), "espalier-bench-"))
  const seed = join(folder, "seed.sql")
  writeFileSync(
    seed,
    "create table notes (id int primary key, n int); insert into notes select g, g from generate_series(1, 1000) g",
  )
  const data = ["--data-dir", join(folder, "data"), "--seed", seed]
  const follow = (url: string) => take(url, { table: "notes", offset: "-1" })
  const times: Record<(typeof startIds)[number], Array<number>> = {
    "server.start-prepared-ms": [],
    "server.start-existing-ms": [],
  }
  await startCommand([], () => Promise.resolve())
  await startCommand(data, follow)
  for (let round = 1; round <= options.rounds; round += 1) {
    times["server.start-prepared-ms"].push(await startCommand([], () => Promise.resolve()))
    times["server.start-existing-ms"].push(await startCommand(data, follow))
    options.log(
      `  round ${round}  ${startIds.map((id) => `${id} ${times[id].at(-1)?.toFixed(0)}`).join("  ")}`,
    )
  }
  rmSync(folder, { recursive: true, force: true })
  const [prepared, existing] = startIds
  return [
    measureOf(prepared, times[prepared], "ms", atMost(1_000)),
    measureOf(existing, times[existing], "ms", atMost(1_500)),
  ].filter(({ id }) => options.wants(id))
}
