/**
 * `pnpm pack:check`: compiles and packs what is published, and looks at the tarballs as a package manager and a compiler of other people would: publint
 * (fields, exports, files) and attw (types resolve for every way of importing).
 */
import { rmSync } from "node:fs"
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runProgram } from "./lib/child.ts"
import { main, readOptions, secondsSince, table } from "./lib/cli.ts"
import { compilePackages, packPackages, type Tarball } from "./lib/packages.ts"
import { binFolder } from "./lib/paths.ts"

const usage = `Usage: pnpm pack:check [--keep DIR] [--json]

Packs every published package and checks the tarballs with publint and attw.
  --keep DIR  write the tarballs there and leave them
  --json      print {ok, seconds, packages: [{name, version, publint, attw}]} and nothing else`

interface Verdict {
  readonly name: string
  readonly version: string
  /** Complaints; empty when there are none. */
  readonly publint: string
  readonly attw: string
}

const complaintsOf = async (tool: string, args: ReadonlyArray<string>): Promise<string> => {
  const { code, output } = await runProgram(join(binFolder, tool), args)
  return code === 0 ? "" : output.trim()
}

const checkTarball = async ({ name, path, version }: Tarball): Promise<Verdict> => ({
  name,
  version,
  publint: await complaintsOf("publint", ["--strict", path]),
  // ESM only, for bundlers and Node's own resolution; a stylesheet has no types.
  attw: await complaintsOf("attw", [
    path,
    "--profile",
    "esm-only",
    "--exclude-entrypoints",
    "panel.css",
    "bundle/*",
  ]),
})

main(async () => {
  const options = readOptions(usage, { keep: { type: "string" }, json: { type: "boolean" } })
  const start = performance.now()
  const folder = options.keep ?? (await mkdtemp(join(tmpdir(), "espalier-pack-")))
  try {
    await compilePackages()
    const verdicts: Array<Verdict> = []
    for (const tarball of await packPackages(folder)) verdicts.push(await checkTarball(tarball))
    const ok = verdicts.every(({ attw, publint }) => publint === "" && attw === "")
    if (options.json === true) {
      console.log(JSON.stringify({ ok, seconds: secondsSince(start), packages: verdicts }))
    } else {
      const word = (complaint: string): string => (complaint === "" ? "ok" : "FAILED")
      const rows = verdicts.map(({ attw, name, publint, version }) => [
        name,
        version,
        word(publint),
        word(attw),
      ])
      console.log(table([["package", "version", "publint", "attw"], ...rows]))
      for (const { attw, name, publint } of verdicts) {
        for (const complaint of [publint, attw]) if (complaint !== "") console.log(`\n${name}\n${complaint}`)
      }
    }
    return ok ? 0 : 1
  } finally {
    if (options.keep === undefined) rmSync(folder, { recursive: true, force: true })
  }
})
