#!/usr/bin/env node
/** The `attack` command: generated requests against the gateway, judged by an oracle in the database. Exit code 1 when anything is found. */
import { parseArgs } from "node:util"
import { PGlite } from "@electric-sql/pglite"
import { attackDecisions } from "./decisions.ts"
import { attackHttp } from "./http.ts"
import type { Report } from "./verdict.ts"
import { reachOf, seed as seedWorld } from "./world.ts"

const usage = `Usage: pnpm attack [options]

Bends requests (paths, encodings, parameters, bodies, headers, tokens, handles) and counts rows outside the caller's reach.

  --requests N   requests against the decision, without sockets (default 20000; the long run is 1000000)
  --http N       requests over HTTP, before the embedded shape server (default 2000; the long run is 50000)
  --seed S       seed of the run (default 1); the same seed makes the same requests
  --json         print the report as JSON on stdout
  --help         print this

Exit codes: 0 nothing found, 1 leaks, undocumented refusals or crashes, 2 a bad option.`

const options = {
  requests: { type: "string", default: "20000" },
  http: { type: "string", default: "2000" },
  seed: { type: "string", default: "1" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const

const whole = (name: string, text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new RangeError(`--${name} must be a whole number, not "${text}"`)
  return Number(text)
}

const read = () => {
  const { values } = parseArgs({ options, strict: true, allowPositionals: false })
  return {
    help: values.help,
    json: values.json,
    requests: whole("requests", values.requests),
    http: whole("http", values.http),
    seed: whole("seed", values.seed),
  }
}

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const codesOf = (reports: ReadonlyArray<Report>): Record<string, number> => {
  const codes: Record<string, number> = {}
  for (const report of reports) {
    for (const [code, count] of Object.entries(report.codes)) codes[code] = (codes[code] ?? 0) + count
  }
  return codes
}

const merged = (one: Report, other: Report, seconds: number): Report => ({
  seed: one.seed,
  requests: one.requests,
  httpRequests: other.httpRequests,
  leaks: one.leaks + other.leaks,
  undocumentedRefusals: one.undocumentedRefusals + other.undocumentedRefusals,
  crashes: one.crashes + other.crashes,
  allowed: one.allowed + other.allowed,
  rows: one.rows + other.rows,
  codes: codesOf([one, other]),
  findings: [...one.findings, ...other.findings],
  seconds,
})

const printed = (report: Report): string =>
  [
    `requests              ${report.requests} decided, ${report.httpRequests} over HTTP, ${report.allowed} let through with ${report.rows} rows`,
    `leaks                 ${report.leaks}`,
    `undocumented refusals ${report.undocumentedRefusals}`,
    `crashes               ${report.crashes}`,
    `refusals by code      ${Object.entries(report.codes)
      .map(([code, count]) => `${code} ${count}`)
      .join(", ")}`,
    ...report.findings.map(({ request, what }) => `  ${what}\n    ${request}`),
    `seed ${report.seed}, ${report.seconds.toFixed(1)} s`,
  ].join("\n")

const main = async (): Promise<number> => {
  let flags: ReturnType<typeof read>
  try {
    flags = read()
  } catch (error) {
    say(`attack: ${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return 2
  }
  if (flags.help) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  const started = Date.now()
  const db = await PGlite.create()
  await seedWorld(db)
  const reach = await reachOf(db)
  const { seed } = flags
  const progress = (what: string) => (done: number) => say(`attack: ${done} requests ${what}`)
  const decided = await attackDecisions({
    db,
    reach,
    seed,
    requests: flags.requests,
    onProgress: progress("decided"),
  })
  const served = await attackHttp({
    db,
    reach,
    seed,
    requests: flags.http,
    onProgress: progress("over HTTP"),
  })
  await db.close()
  const report = merged(decided, served, (Date.now() - started) / 1000)
  process.stdout.write(`${flags.json ? JSON.stringify(report, null, 2) : printed(report)}\n`)
  return report.leaks + report.undocumentedRefusals + report.crashes === 0 ? 0 : 1
}

process.exitCode = await main()
