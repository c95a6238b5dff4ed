/**
 * Runs one TypeScript command line program of the workspace with the Node this script itself runs on (the pinned one
 * under `pnpm run`), from any folder: `node scripts/run.ts FILE …args`. Passes signals and the exit code through, and
 * takes the program down when the launcher above (`pnpm`, `npx`) is killed.
 */
import { constants } from "node:os"
import { existsSync } from "node:fs"
import { CommandError, ExitCode, main } from "./lib/cli.ts"
import { startNode } from "./lib/child.ts"
import { watchLaunchers } from "./lib/launchers.ts"
import { at } from "./lib/paths.ts"

const usage = `Usage: node scripts/run.ts FILE [arguments of FILE …]

Runs FILE (TypeScript, relative to the repository's root) with the pinned Node.
SIGINT, SIGTERM and SIGHUP are passed on; the exit code is FILE's.`

main(async () => {
  const [file, ...args] = process.argv.slice(2)
  if (file === undefined || file === "--help" || file === "-h") {
    console.log(usage)
    return file === undefined ? ExitCode.usage : 0
  }
  const path = at(file)
  if (!existsSync(path)) throw new CommandError(`there is no ${file} in the repository`, ExitCode.usage)
  const child = await startNode([path, ...args], {
    cwd: process.env["INIT_CWD"] ?? process.cwd(),
    stdin: "inherit",
    stdout: "inherit",
  })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => child.process.kill(signal))
  }
  watchLaunchers(() => void child.stop())
  const { code, signal } = await child.exited
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
})
