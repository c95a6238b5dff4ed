/** Runs every fault script, one after the other, and prints what was shown. Exits 1 when a fault was not. */
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { runNode } from "../../../scripts/lib/child.ts"
import { ExitCode, main, readOptions, table } from "../../../scripts/lib/cli.ts"

const usage = `Usage: node bench/peers/faults/all.ts [--only TEXT] [--json]

Shows the faults of @electric-sql/pglite-sync, each in a process of its own, mostly against the embedded server.
  --only TEXT  scripts whose names contain TEXT
  --json       print {ok, faults: [{script, shown, expected, observed}]} and nothing else`

interface Shown {
  readonly script: string
  readonly shown: boolean
  readonly expected: unknown
  readonly observed: unknown
}

const folder = fileURLToPath(new URL(".", import.meta.url))

const lastJson = (text: string): Readonly<Record<string, unknown>> | null => {
  const line = text.split("\n").findLast((candidate) => candidate.startsWith("{"))
  return line === undefined ? null : (JSON.parse(line) as Readonly<Record<string, unknown>>)
}

const show = async (script: string): Promise<Shown> => {
  const { code, output, stdout } = await runNode([`${folder}${script}`])
  const found = lastJson(stdout)
  return {
    script: script.replace(".ts", ""),
    shown: code === 0 && found?.["faulty"] === true,
    expected: found?.["expected"] ?? null,
    observed: found?.["observed"] ?? output.trim().slice(-300),
  }
}

main(async () => {
  const options = readOptions(usage, { only: { type: "string" }, json: { type: "boolean" } })
  const only = typeof options.only === "string" ? options.only : ""
  const scripts = readdirSync(folder)
    .filter((name) => /^\d\d-/.test(name) && name.includes(only))
    .toSorted()
  const faults: Array<Shown> = []
  for (const script of scripts) faults.push(await show(script))
  const ok = faults.every(({ shown }) => shown)
  if (options.json === true) console.log(JSON.stringify({ ok, faults }))
  else {
    const rows = faults.map((fault) => [
      fault.script,
      fault.shown ? "shown" : "NOT SHOWN",
      JSON.stringify(fault.expected),
      JSON.stringify(fault.observed).slice(0, 120),
    ])
    console.log(table([["fault", "result", "expected", "observed"], ...rows]))
  }
  return ok ? 0 : ExitCode.failed
})
