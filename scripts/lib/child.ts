/**
 * Child processes of the scripts: short ones whose output is collected, and long ones that must never outlive us. A long
 * child runs in its own process group, so that a Ctrl-C in the terminal reaches it once (from us) and not twice, and
 * holds a leash (an IPC channel, `leash.ts`): when this process dies, even by SIGKILL, the child stops by itself.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { childEnv, root } from "./paths.ts"

export interface Finished {
  readonly code: number
  /** Standard output and standard error, in order of arrival. */
  readonly output: string
  /** Standard output alone. */
  readonly stdout: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Also shows the output while it comes. */
  readonly echo?: boolean
}

/** Runs a Node program (a path to JavaScript or TypeScript) with this very Node and collects its output. */
export const runNode = (args: ReadonlyArray<string>, options: RunOptions = {}): Promise<Finished> =>
  runProgram(process.execPath, args, options)

/** Runs any program and collects its output. A program that cannot be started counts as code 127. */
export const runProgram = (
  file: string,
  args: ReadonlyArray<string>,
  options: RunOptions = {},
): Promise<Finished> =>
  new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: options.cwd ?? root,
      env: childEnv(options.env),
      stdio: ["ignore", "pipe", "pipe"],
    })
    // A build or test run that is interrupted must not go on alone.
    const kill = (): void => void child.kill()
    process.once("exit", kill)
    child.once("close", () => process.off("exit", kill))
    let output = ""
    let stdout = ""
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString()
      stdout += chunk.toString()
      if (options.echo === true) process.stdout.write(chunk)
    })
    child.stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString()
      if (options.echo === true) process.stderr.write(chunk)
    })
    child.once("error", (cause) => resolve({ code: 127, output: `${output}${cause.message}\n`, stdout }))
    child.once("close", (code, signal) =>
      resolve({ code: code ?? (signal === null ? 1 : 128), output, stdout }),
    )
  })

export interface LongChild {
  readonly process: ChildProcess
  readonly pid: number
  /** Settles when the process has ended, never rejects. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** SIGTERM, then SIGKILL after `graceMillis`; settles when the process is gone. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>
}

/** How long a long child may take to stop by itself. */
const graceMillis = 10_000

const leash = new URL("./leash.ts", import.meta.url).href

/** Starts a Node program on a leash. `stdout: "pipe"` lets the caller read it; errors always go to our stderr. */
export const startNode = (
  args: ReadonlyArray<string>,
  options: {
    readonly cwd?: string
    readonly env?: Readonly<Record<string, string>>
    readonly stdin?: "inherit" | "ignore"
    readonly stdout: "inherit" | "pipe"
    readonly unset?: ReadonlyArray<string>
  },
): Promise<LongChild> =>
  new Promise((resolve, reject) => {
    const env = childEnv(options.env)
    for (const name of options.unset ?? []) delete env[name]
    const child = spawn(process.execPath, ["--import", leash, ...args], {
      cwd: options.cwd ?? root,
      env,
      stdio: [options.stdin ?? "ignore", options.stdout, "inherit", "ipc"],
      detached: true,
    })
    const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((settle) => {
      child.once("exit", (code, signal) => settle({ code, signal }))
    })
    child.once("error", reject)
    child.once("spawn", () => {
      const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill(signal)
        const timer = setTimeout(() => child.kill("SIGKILL"), graceMillis)
        await exited
        clearTimeout(timer)
      }
      resolve({ process: child, pid: child.pid ?? 0, exited, stop })
    })
  })
