/**
 * Runs vitest projects and reads what they counted. Counts come from vitest's own JSON report, never from its output; a
 * run that dies before it can report counts as one failure, so that nothing silent looks green.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runNode } from "./child.ts"
import { secondsSince } from "./cli.ts"
import { at, binFolder } from "./paths.ts"

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export interface Coverage {
  readonly name: string
  readonly lines: number
  readonly branches: number
  readonly functions: number
}

export interface TestRun extends Counts {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
}

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: ReadonlyArray<{
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string }>
  }>
}

const nothing: Counts = { passed: 0, failed: 0, skipped: 0 }

/** Files that failed as a whole (they do not load, a hook failed) without a failed test count as one failure each. */
const countsOf = (report: Report): Counts => ({
  passed: report.numPassedTests,
  failed:
    report.numFailedTests +
    report.testResults.filter(
      (file) => file.status === "failed" && file.assertionResults.every((one) => one.status !== "failed"),
    ).length,
  skipped: report.numPendingTests + report.numTodoTests,
})

const readReport = (file: string): Counts | null => {
  try {
    return countsOf(JSON.parse(readFileSync(file, "utf8")) as Report)
  } catch {
    // No report: vitest died before it could write one.
    return null
  }
}

/** Runs the named projects; the output is shown while it comes unless `quiet`. */
export const runProjects = async (
  name: string,
  projects: ReadonlyArray<string>,
  options: {
    readonly coverage?: boolean
    readonly quiet?: boolean
    readonly env?: Readonly<Record<string, string>>
  },
): Promise<TestRun> => {
  const start = performance.now()
  // What an earlier run measured must not pass for this one's.
  if (options.coverage === true) rmSync(at("coverage"), { recursive: true, force: true })
  const folder = mkdtempSync(join(tmpdir(), "espalier-test-"))
  const file = join(folder, "report.json")
  const args = [
    ...[
      join(binFolder, "vitest"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
    ],
    ...projects.flatMap((project) => ["--project", project]),
    ...(options.coverage === true ? ["--coverage"] : []),
  ]
  const { code, output } = await runNode(args, {
    echo: options.quiet !== true,
    ...(options.env === undefined ? {} : { env: options.env }),
  })
  const counts = readReport(file)
  rmSync(folder, { recursive: true, force: true })
  const ok = code === 0 && counts !== null
  if (!ok && options.quiet === true) console.error(output)
  const seen = counts ?? nothing
  const failed = !ok && seen.failed === 0 ? 1 : seen.failed
  return { name, ok, seconds: secondsSince(start), ...seen, failed }
}

interface Summary {
  readonly [path: string]: Readonly<
    Record<"lines" | "branches" | "functions", { total: number; covered: number }>
  >
}

const percent = (covered: number, total: number): number =>
  total === 0 ? 100 : Math.floor((covered / total) * 1000) / 10

/** Coverage of each pure part, from the summary the last run with `coverage` wrote; zeros when it wrote none. */
export const readCoverage = (parts: ReadonlyArray<string>): ReadonlyArray<Coverage> => {
  const file = at("coverage", "coverage-summary.json")
  const summary = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Summary) : {}
  return parts.map((part) => {
    const files = Object.entries(summary).filter(([path]) => path.startsWith(at(part)))
    const of = (what: "lines" | "branches" | "functions"): number => {
      const sum = (which: "covered" | "total"): number =>
        files.reduce((total, [, figures]) => total + figures[what][which], 0)
      return files.length === 0 ? 0 : percent(sum("covered"), sum("total"))
    }
    return { name: part, lines: of("lines"), branches: of("branches"), functions: of("functions") }
  })
}
