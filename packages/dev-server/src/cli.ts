#!/usr/bin/env node
/**
 * The `dev-server` command: 0 after a stop, 1 after a failed start, 2 for bad options. Most of a start is loading modules and
 * compiling PGlite, so modules come from Node's compile cache and the two go on at the same time; hence the imports at their places.
 */
import { enableCompileCache } from "node:module"
import { join } from "node:path"
import { help, readFlags } from "./cli/flags.ts"
import { defaultFolder } from "./db/preparedDirectory.ts"

const reading = readFlags(process.argv.slice(2), process.env)
if (reading.flags === undefined) {
  process.stderr.write(`dev-server: ${reading.problem}\n`)
  process.exit(2)
}
const { flags } = reading
// A cache that cannot be used costs its time only; Node says so in what it returns.
enableCompileCache(join(flags.cacheDir ?? defaultFolder(), "modules"))
if (flags.isHelp) {
  process.stdout.write(help)
  process.exit(0)
}
const assets =
  flags.databaseUrl === null
    ? import("./cli/assets.ts").then(({ load }) => load(flags.dataDir, flags.cacheDir))
    : null
const { start } = await import("./cli/start.ts")
process.exit(await start(flags, assets))
