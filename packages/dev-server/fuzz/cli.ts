#!/usr/bin/env node
/** The `fuzz` command: random requests against a dev-server of its own. Exit code 1 when something happens that must not. */
import { parseArgs } from "node:util"
import { killRun } from "./kills.ts"
import { fuzz } from "./run.ts"

const usage = `Usage: pnpm fuzz [options]

Sends random requests (paths, parameters, bodies, headers) to a dev-server started for it, while rows are written. No
crash, no hang, every answer in its documented form, no row outside the asked filter (Postgres evaluates it).

  --requests N   how many (default 100000)
  --seed S       what to begin from (default 1); the same seed makes the same requests up to the order of answers
  --kills N      instead: kill a server with a data directory N times at random moments while rows are written; clients must
                 go on from their old handles and offsets with exactly the rows of the database, or be told to begin again
  --json         print the report as JSON on stdout
  --help         print this

Exit codes: 0 nothing found, 1 findings, 2 a bad option.`

const read = () =>
  parseArgs({
    options: {
      requests: { type: "string" },
      seed: { type: "string" },
      kills: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean" },
    },
  }).values

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const whole = (name: string, text: string | undefined, fallback: number): number => {
  const value = Number(text ?? fallback)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a positive whole number`)
  return value
}

const main = async (): Promise<number> => {
  let options: {
    readonly requests: number
    readonly seed: number
    readonly kills: number
    readonly isJson: boolean
  }
  try {
    const flags = read()
    if (flags.help === true) {
      process.stdout.write(`${usage}\n`)
      return 0
    }
    options = {
      requests: whole("requests", flags.requests, 100_000),
      seed: whole("seed", flags.seed, 1),
      kills: flags.kills === undefined ? 0 : whole("kills", flags.kills, 1),
      isJson: flags.json === true,
    }
  } catch (error) {
    say(`fuzz: ${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return 2
  }
  const tell = options.isJson ? {} : { tell: say }
  if (options.kills > 0) {
    const report = await killRun({ ...options, ...tell })
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    return report.findings.length > 0 ? 1 : 0
  }
  const report = await fuzz({ ...options, ...tell })
  if (options.isJson) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  else {
    for (const { detail, kind, request } of report.findings) say(`${kind}: ${detail}\n  ${request}`)
    say(
      `${report.requests} requests in ${report.seconds} s, seed ${report.seed}: ${JSON.stringify(report.byStatus)}; ` +
        `${report.rowsChecked} rows held to their filter; ${report.waitersLeft} waiters left; ${report.findings.length} findings`,
    )
  }
  return report.findings.length > 0 || report.waitersLeft > 0 ? 1 : 0
}

process.exit(await main())
