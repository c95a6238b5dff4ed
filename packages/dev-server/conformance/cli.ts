#!/usr/bin/env node
/** The `conformance` command: one suite against any server that speaks Electric's protocol. Exit code 1 when a case fails. */
import { parseArgs } from "node:util"
import pg from "pg"
import type { Case } from "./Case.ts"
import { type Embedded, sqlOverPool, startEmbedded, startOnPostgres } from "./embedded.ts"
import { startPostgres } from "./postgres.ts"
import { allCases, checkLists, type Outcome, type Report, runCases } from "./run.ts"

const usage = `Usage: pnpm conformance [options]

Holds a server to the checklist of the protocol. Without a URL it starts the embedded dev-server on PGlite, and again on a
real Postgres from the package registry where one can be started; each case then counts twice.

  --electric-url U   server to test; needs --database-url
  --database-url D   the Postgres behind it, where tables are made and dropped
  --secret-url U     a server over the same database that asks for a secret; without it those cases are skipped
  --secret S         that secret
  --chunk-url U      a server over the same database with chunks of 1,000 bytes; without it those cases are skipped
  --allow-delete     the server under test allows DELETE
  --only NAME        only cases whose id starts with NAME or whose name contains it; may be repeated
  --json             print the report as JSON on stdout
  --help             print this

Exit codes: 0 all passed, 1 a case failed, 2 a bad option, 3 a server or database cannot be reached.`

const options = {
  "electric-url": { type: "string" },
  "database-url": { type: "string" },
  "secret-url": { type: "string" },
  secret: { type: "string" },
  "chunk-url": { type: "string" },
  "allow-delete": { type: "boolean" },
  only: { type: "string", multiple: true },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const

const read = () => parseArgs({ options, strict: true, allowPositionals: false }).values

type Flags = ReturnType<typeof read>

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const main = async (): Promise<number> => {
  let flags: Flags
  try {
    flags = read()
  } catch (error) {
    say(`conformance: ${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return 2
  }
  if (flags.help === true) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  if ((flags["electric-url"] === undefined) !== (flags["database-url"] === undefined)) {
    say("conformance: --electric-url and --database-url go together")
    return 2
  }
  const only = flags.only ?? []
  const cases = allCases.filter(
    (one) => only.length === 0 || only.some((part) => one.id.startsWith(part) || one.name.includes(part)),
  )
  const complaints = [...checkLists(allCases), ...(cases.length === 0 ? ["no case matches --only"] : [])]
  if (complaints.length > 0) {
    say(`conformance: ${complaints.join("; ")}`)
    return 2
  }
  const quiet = flags.json === true
  let reports: ReadonlyArray<Report>
  try {
    reports =
      flags["electric-url"] === undefined
        ? await runEmbedded(cases, quiet)
        : [await runOn(await connect(flags), cases, quiet)]
  } catch (error) {
    say(
      `conformance: the servers cannot be reached: ${error instanceof Error ? error.message : String(error)}`,
    )
    return 3
  }
  const report = merge(reports)
  if (quiet) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  else for (const one of reports) summarise(one)
  return report.failed > 0 ? 1 : 0
}

const runOn = async (
  embedded: Embedded,
  cases: ReadonlyArray<Case>,
  isQuiet: boolean,
  server?: string,
): Promise<Report> => {
  try {
    const report = await runCases(cases, embedded.servers, embedded.sql, 8, isQuiet ? undefined : tell)
    return server === undefined
      ? report
      : { ...report, cases: report.cases.map((one) => ({ ...one, id: `${server}/${one.id}` })) }
  } finally {
    await embedded.close()
  }
}

/** On PGlite, and on a real Postgres; every case is named by both. */
const runEmbedded = async (cases: ReadonlyArray<Case>, isQuiet: boolean): Promise<ReadonlyArray<Report>> => {
  if (!isQuiet) say("dev-server on PGlite")
  const onPGlite = await runOn(await startEmbedded(), cases, isQuiet, "pglite")
  const { postgres, reason } = await startPostgres()
  if (postgres === undefined) {
    say(`conformance: not run on a real Postgres: ${reason}`)
    return [onPGlite]
  }
  try {
    if (!isQuiet) say("dev-server on Postgres")
    const url = await postgres.createDatabase("conformance")
    return [onPGlite, await runOn(await startOnPostgres(url), cases, isQuiet, "postgres")]
  } finally {
    await postgres.close()
  }
}

const merge = (reports: ReadonlyArray<Report>): Report => ({
  passed: reports.reduce((sum, report) => sum + report.passed, 0),
  failed: reports.reduce((sum, report) => sum + report.failed, 0),
  skipped: reports.reduce((sum, report) => sum + report.skipped, 0),
  cases: reports.flatMap((report) => report.cases),
})

const connect = async (flags: Flags): Promise<Embedded> => {
  const url = String(flags["electric-url"]).replace(/\/+$/u, "")
  const health = await fetch(`${url}/v1/health`)
  if (!health.ok) throw new Error(`${url}/v1/health answers ${health.status}`)
  await health.arrayBuffer()
  const pool = new pg.Pool({ connectionString: flags["database-url"], max: 8 })
  await pool.query("select 1")
  return {
    sql: sqlOverPool(pool),
    close: () => pool.end(),
    servers: {
      main: url,
      secret: flags["secret-url"] ?? null,
      secretValue: flags.secret ?? "",
      chunk: flags["chunk-url"] ?? null,
      allowsDelete: flags["allow-delete"] === true,
      restartable: null,
    },
  }
}

const tell = ({ id, name, ok, detail }: Outcome): void => {
  if (ok === false) say(`failed   ${id}: ${name}\n         ${String(detail).split("\n").join("\n         ")}`)
}

const summarise = ({ passed, failed, skipped, cases }: Report): void => {
  for (const { id, ok, detail } of cases) if (ok === null) say(`skipped  ${id}: ${detail}`)
  say(`${passed} passed, ${failed} failed, ${skipped} skipped`)
}

process.exit(await main())
