#!/usr/bin/env node
/** The `conformance` command: one suite against any server that speaks Electric's protocol. Exit code 1 when a case fails. */
import { parseArgs } from "node:util"
import pg from "pg"
import type { RunSql } from "./Context.ts"
import { type Embedded, startEmbedded } from "./embedded.ts"
import { allCases, checkLists, type Outcome, type Report, runCases } from "./run.ts"

const usage = `Usage: pnpm conformance [options]

Holds a server to the checklist of the protocol. Without a URL it starts the embedded dev-server on PGlite.

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
  let servers: Embedded
  try {
    servers = await (flags["electric-url"] === undefined ? startEmbedded() : connect(flags))
  } catch (error) {
    say(
      `conformance: the servers cannot be reached: ${error instanceof Error ? error.message : String(error)}`,
    )
    return 3
  }
  const report = await runCases(
    cases,
    servers.servers,
    servers.sql,
    8,
    flags.json === true ? undefined : tell,
  )
  await servers.close()
  if (flags.json === true) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  else summarise(report)
  return report.failed > 0 ? 1 : 0
}

const connect = async (flags: Flags): Promise<Embedded> => {
  const url = String(flags["electric-url"]).replace(/\/+$/u, "")
  const health = await fetch(`${url}/v1/health`)
  if (!health.ok) throw new Error(`${url}/v1/health answers ${health.status}`)
  await health.arrayBuffer()
  const pool = new pg.Pool({ connectionString: flags["database-url"], max: 8 })
  await pool.query("select 1")
  return {
    sql: overPostgres(pool),
    close: () => pool.end(),
    servers: {
      main: url,
      secret: flags["secret-url"] ?? null,
      secretValue: flags.secret ?? "",
      chunk: flags["chunk-url"] ?? null,
      allowsDelete: flags["allow-delete"] === true,
    },
  }
}

const overPostgres =
  (pool: pg.Pool): RunSql =>
  async (...statements) => {
    const client = await pool.connect()
    try {
      await client.query("begin")
      for (const statement of statements) await client.query(statement)
      await client.query("commit")
    } catch (error) {
      await client.query("rollback")
      throw error
    } finally {
      client.release()
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
