/**
 * The two processes of the demo and how each is started: the sync server (embedded dev-server, unless the environment
 * names a real Electric and Postgres) and the page server. `scripts/demo.ts` decides when; this file knows how.
 */
import { randomBytes } from "node:crypto"
import { mkdirSync } from "node:fs"
import { createInterface } from "node:readline"
import { startNode, type LongChild } from "./child.ts"
import { CommandError, ExitCode } from "./cli.ts"
import { accepts, answers, eventually, freePort } from "./net.ts"
import { at } from "./paths.ts"

/** How long each may take to start. PGlite's first start runs initdb, slowly on a busy machine. */
const syncStartMillis = 90_000
const pageStartMillis = 60_000

/** How long an external server may take to answer before we say that it is unreachable. */
const reachMillis = 10_000

export interface SyncServer {
  readonly url: string
  /** Variables the page server needs to use it. */
  readonly env: Readonly<Record<string, string>>
  /** The embedded server's process and the arguments that start it again; null for an external one. */
  readonly child: LongChild | null
  readonly args: ReadonlyArray<string>
}

const present = (name: string): string | null => {
  const value = process.env[name]?.trim()
  return value === undefined || value === "" ? null : value
}

const parseUrl = (name: string, value: string): URL => {
  if (!URL.canParse(value)) throw new CommandError(`${name} is not a URL: "${value}"`, ExitCode.usage)
  return new URL(value)
}

/** Electric and Postgres named by the environment; null when neither is. */
export const externalServer = async (): Promise<SyncServer | null> => {
  const electric = present("ELECTRIC_URL")
  const database = present("DATABASE_URL")
  if (electric === null && database === null) return null
  if (electric === null || database === null) {
    const [given, missing] =
      electric === null ? ["DATABASE_URL", "ELECTRIC_URL"] : ["ELECTRIC_URL", "DATABASE_URL"]
    throw new CommandError(
      `${given} is set but ${missing} is not: the demo needs both, or neither`,
      ExitCode.usage,
    )
  }
  const url = parseUrl("ELECTRIC_URL", electric)
  const { hostname, port } = parseUrl("DATABASE_URL", database)
  const health = new URL("/v1/health", url).href
  if (!(await eventually(() => answers(health), { withinMillis: reachMillis }))) {
    throw new CommandError(
      `Electric does not answer at ${health}. Start it (\`docker-compose up -d\`), or unset ELECTRIC_URL and DATABASE_URL to use the embedded server`,
      ExitCode.unreachable,
    )
  }
  const databasePort = port === "" ? 5432 : Number(port)
  if (!(await eventually(() => accepts(hostname, databasePort), { withinMillis: reachMillis }))) {
    throw new CommandError(
      `no database accepts connections at ${hostname}:${databasePort}`,
      ExitCode.unreachable,
    )
  }
  return { url: electric, env: {}, child: null, args: [] }
}

/** Starts the embedded dev-server; settles when it serves. */
export const startSyncServer = async (dataFolder: string): Promise<SyncServer> => {
  const token = randomBytes(24).toString("base64url")
  const port = await freePort()
  const dataDir = `${dataFolder}/server`
  mkdirSync(dataFolder, { recursive: true })
  const args = [
    at("packages/dev-server/src/cli.ts"),
    ...["--port", String(port), "--data-dir", dataDir, "--sql-token", token, "--fault-token", token],
    ...["--seed", at("apps/demo/db/schema.sql"), "--seed", at("apps/demo/db/seed.sql")],
  ]
  const child = await startNode(args, { stdout: "pipe" })
  const url = `http://127.0.0.1:${port}`
  const ready = new Promise<boolean>((resolve) => {
    createInterface({ input: child.process.stdout! }).on("line", (line) => {
      if (line.includes('"ready":true')) resolve(true)
    })
    setTimeout(() => resolve(false), syncStartMillis).unref()
  })
  const isReady = await Promise.race([ready, child.exited.then(() => false)])
  if (!isReady) {
    await child.stop()
    throw new CommandError("the sync server did not start; its own words are above")
  }
  return { url, child, args, env: { ELECTRIC_URL: url, DEV_SQL_URL: `${url}/sql`, DEV_SQL_TOKEN: token } }
}

export interface PageServer {
  readonly child: LongChild
  /** For people: `localhost` unless the host says otherwise. */
  readonly url: string
}

/** Starts the built page server and waits until it is healthy. */
export const startPageServer = async (
  entry: string,
  where: { readonly port: number; readonly host: string },
  sync: SyncServer,
): Promise<PageServer> => {
  const child = await startNode([entry], {
    env: { ...sync.env, PORT: String(where.port), HOST: where.host, DEMO: "true" },
    // Nitro prefers these over PORT and HOST, and the embedded server is not DATABASE_URL.
    unset: ["NITRO_PORT", "NITRO_HOST", ...(sync.child === null ? [] : ["DATABASE_URL"])],
    stdout: "pipe",
  })
  // Nitro announces its address on stdout; ours must stay what the caller asked for.
  child.process.stdout!.resume()
  let hasExited = false
  void child.exited.then(() => (hasExited = true))
  const isEverywhere = where.host === "0.0.0.0" || where.host === "::"
  const isLocal = isEverywhere || where.host === "127.0.0.1" || where.host === "localhost"
  const healthy = await eventually(
    () => answers(`http://${isEverywhere ? "127.0.0.1" : where.host}:${where.port}/api/health`),
    { withinMillis: pageStartMillis, giveUp: () => hasExited },
  )
  if (!healthy) {
    await child.stop()
    throw new CommandError("the page server did not start; its own words are above")
  }
  return { child, url: `http://${isLocal ? "localhost" : where.host}:${where.port}` }
}
