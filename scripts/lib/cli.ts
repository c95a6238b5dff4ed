/**
 * What every command of the repository does the same way: `--help`, refusal of unknown options with exit code 2, tables.
 */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util"

/** Exit codes, the same for every command. */
export const ExitCode = { failed: 1, usage: 2, unreachable: 3, portTaken: 4 } as const

/** An expected failure: its message is printed without a stack, and the process ends with its code. */
export class CommandError extends Error {
  readonly exitCode: number
  constructor(message: string, exitCode: number = ExitCode.failed) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Options of this process; prints `usage` and ends on `--help`, complains and ends with 2 on anything unknown. */
export const readOptions = <const Options extends ParseArgsOptionsConfig>(
  usage: string,
  options: Options,
) => {
  try {
    const { values } = parseArgs({
      options: { ...options, help: { type: "boolean", short: "h" } },
      strict: true,
    })
    if ((values as { help?: boolean }).help === true) {
      console.log(usage)
      process.exit(0)
    }
    return values
  } catch (cause) {
    console.error(`${cause instanceof Error ? cause.message : String(cause)}\n\n${usage}`)
    process.exit(ExitCode.usage)
  }
}

/** Runs a command's body; expected failures end with their message and code, others with their stack and 1. */
export const main = (body: () => Promise<number>): void => {
  body().then(
    (code) => {
      process.exitCode = code
    },
    (cause: unknown) => {
      if (cause instanceof CommandError) console.error(`error: ${cause.message}`)
      else console.error(cause)
      process.exit(cause instanceof CommandError ? cause.exitCode : ExitCode.failed)
    },
  )
}

/** Left-aligned columns, two spaces between. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths: Array<number> = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}

/** Seconds since `start` (a `performance.now()`), one decimal. */
export const secondsSince = (start: number): number => Math.round((performance.now() - start) / 100) / 10

/** Bytes as kB with one decimal. */
export const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`
