/**
 * Runs the demo as a newcomer's command does (`scripts/demo.ts`, already built), with a data folder of its own, and can stop
 * and restart the sync server alone. For the end-to-end tests only; whoever starts a demo stops it.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../../..", import.meta.url)).replace(/\/$/, "")

/** The JSON line of `pnpm demo --json`. */
interface ReadyLine {
  readonly url: string
  readonly pid: number
  readonly sync: {
    readonly url: string
    readonly pid: number
    readonly args: ReadonlyArray<string>
    readonly env: Readonly<Record<string, string>>
  }
}

export interface Demo {
  /** The page server. */
  readonly url: string
  /** Everything the command has written to standard error so far. */
  readonly stderr: () => string
  /** Ends the sync server's process as a crash would (SIGKILL), or politely; settles when it is gone. */
  readonly stopSync: (signal?: "SIGKILL" | "SIGTERM") => Promise<void>
  /** Starts the sync server again on the same port and data; settles when it serves. */
  readonly startSync: () => Promise<void>
  readonly stop: () => Promise<void>
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/** The first line of standard output that is JSON with `ready: true`; rejects when the process ends before. */
const readyLine = (child: ChildProcess, stderr: () => string): Promise<string> =>
  new Promise((resolve, reject) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      if (line.includes('"ready":true')) resolve(line)
    })
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`ended with ${code} before it was ready:\n${stderr()}`)))
  })

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", () => resolve()))

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

const untilGone = async (pid: number): Promise<void> => {
  const deadline = performance.now() + 15_000
  while (!isGone(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} does not end`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const collect = (child: ChildProcess): (() => string) => {
  let text = ""
  child.stderr?.on("data", (chunk: Buffer) => (text += chunk.toString()))
  return () => text
}

/** Starts the built demo on a free port with an empty server. */
export const startDemo = async (): Promise<Demo> => {
  const data = mkdtempSync(join(tmpdir(), "espalier-e2e-"))
  const port = await freePort()
  const child = spawn(process.execPath, [join(root, "scripts/demo.ts"), "--no-build", "--json"], {
    cwd: root,
    env: {
      ...process.env,
      PORT: String(port),
      HOST: "127.0.0.1",
      DEMO_DATA_DIR: data,
      SESSION_SECRET: "a secret for the end-to-end tests",
      ELECTRIC_URL: "",
      DATABASE_URL: "",
    },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const stderr = collect(child)
  const ready = JSON.parse(await readyLine(child, stderr)) as ReadyLine
  let restarted: ChildProcess | null = null
  let syncPid = ready.sync.pid
  const stopSync = async (signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> => {
    if (isGone(syncPid)) return
    process.kill(syncPid, signal)
    await (restarted === null ? untilGone(syncPid) : ended(restarted))
  }
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM")
    await ended(child)
    restarted?.kill("SIGTERM")
    if (restarted !== null) await ended(restarted)
    rmSync(data, { recursive: true, force: true })
  }
  const startSync = async (): Promise<void> => {
    const again = spawn(process.execPath, [...ready.sync.args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    })
    await readyLine(again, collect(again))
    restarted = again
    syncPid = again.pid ?? 0
  }
  return { url: ready.url, stderr, stopSync, startSync, stop }
}
