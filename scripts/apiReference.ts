/**
 * `pnpm docs:api`: writes `docs/reference/` from the docstrings and types of every entry point that the packages publish. `pnpm check` runs it with `--check`,
 * so a page can neither lag behind the code nor be edited by hand.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { apiPages } from "./lib/apiPages.ts"
import { ExitCode, main, readOptions, secondsSince } from "./lib/cli.ts"
import { at } from "./lib/paths.ts"

const usage = `Usage: pnpm docs:api [--check] [--json]

Writes the API reference (docs/reference) from the docstrings of the packages' entry points.
  --check  write nothing; exit 1 and name the pages that differ from the code
  --json   print {ok, seconds, written, stale} and nothing else`

const folder = at("docs", "reference")

const onDisk = (): ReadonlyArray<string> => (existsSync(folder) ? readdirSync(folder) : [])

main(async () => {
  const options = readOptions(usage, { check: { type: "boolean" }, json: { type: "boolean" } })
  const start = performance.now()
  const pages = apiPages()
  const path = (name: string): string => at("docs", "reference", name)
  const stale = [
    ...[...pages]
      .filter(([name, text]) => !existsSync(path(name)) || readFileSync(path(name), "utf8") !== text)
      .map(([name]) => name),
    ...onDisk().filter((name) => !pages.has(name)),
  ]
  const isCheck = options.check === true
  if (!isCheck) {
    mkdirSync(folder, { recursive: true })
    for (const name of onDisk()) if (!pages.has(name)) rmSync(path(name))
    for (const [name, text] of pages) writeFileSync(path(name), text)
  }
  const ok = !isCheck || stale.length === 0
  if (options.json === true) {
    console.log(JSON.stringify({ ok, seconds: secondsSince(start), written: isCheck ? [] : stale, stale }))
  } else {
    for (const name of stale) {
      console.log(
        isCheck ? `docs/reference/${name} is not what the code says; run pnpm docs:api` : `wrote ${name}`,
      )
    }
    if (stale.length === 0) console.log(`${pages.size} pages are up to date`)
  }
  return ok ? 0 : ExitCode.failed
})
