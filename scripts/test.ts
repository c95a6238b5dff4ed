/**
 * `pnpm test`: everything, in the order in which a failure is cheapest to understand: check, unit and integration tests with
 * the coverage of the pure parts, the builds, then the demo in a real browser. All stages run even when an earlier one
 * fails. The last line is `N passed, N failed` over all vitest projects (a stage that is no test and fails counts as one).
 */
import { buildAll, bundleSizes, sizeRows, type Size } from "./lib/builds.ts"
import { ExitCode, main, readOptions, secondsSince, table } from "./lib/cli.ts"
import { chromiumHelp, findChromium } from "./lib/paths.ts"
import { readCoverage, runProjects, type Coverage, type TestRun } from "./lib/vitest.ts"
import { check, printParts } from "./check.ts"

const usage = `Usage: pnpm test [--only unit|integration|e2e] [--json]

  --only S  run one stage, without check; e2e builds first. May be given several times.
  --json    print {ok, passed, failed, skipped, seconds, stages, coverage, sizes} on stdout; everything else goes to stderr

The end-to-end stage needs a Chromium: CHROMIUM_PATH, or an installed one.`

/** Parts without I/O, and the least share of lines and branches their tests must reach, in percent. */
const pureParts = [
  "packages/engine/src/graph",
  "packages/engine/src/protocol",
  "packages/engine/src/machine",
  "packages/gateway/src/authorize.ts",
] as const
const leastCoverage = { lines: 90, branches: 85 } as const

interface Outcome {
  readonly stages: Array<TestRun>
  coverage: ReadonlyArray<Coverage>
  sizes: ReadonlyArray<Size>
}

const names = ["unit", "integration", "e2e"] as const

const stage = (name: string, ok: boolean, start: number): TestRun => ({
  ...{ name, ok, seconds: secondsSince(start), passed: 0, skipped: 0 },
  failed: ok ? 0 : 1,
})

const runCheck = async (outcome: Outcome, quiet: boolean): Promise<void> => {
  const start = performance.now()
  const parts = await check()
  const ok = parts.every((part) => part.ok)
  if (!quiet) printParts(parts)
  outcome.stages.push(stage("check", ok, start))
}

const runFast = async (outcome: Outcome, projects: ReadonlyArray<string>, quiet: boolean): Promise<void> => {
  const withCoverage = projects.length === 2
  outcome.stages.push(await runProjects(projects.join(" + "), projects, { coverage: withCoverage, quiet }))
  if (!withCoverage) return
  const start = performance.now()
  outcome.coverage = readCoverage(pureParts)
  const low = outcome.coverage.filter(
    ({ lines, branches }) => lines < leastCoverage.lines || branches < leastCoverage.branches,
  )
  for (const { name, lines, branches } of low) {
    console.error(`coverage of ${name} is too low: lines ${lines} %, branches ${branches} %`)
  }
  outcome.stages.push(stage("coverage", low.length === 0, start))
}

const runBuild = async (outcome: Outcome, quiet: boolean): Promise<boolean> => {
  const start = performance.now()
  try {
    await buildAll({ onStart: (name) => quiet || console.log(`building the ${name} …`) })
    outcome.sizes = await bundleSizes()
    outcome.stages.push(stage("build", true, start))
    return true
  } catch (cause) {
    console.error(cause instanceof Error ? cause.message : cause)
    outcome.stages.push(stage("build", false, start))
    return false
  }
}

const runBrowser = async (outcome: Outcome, isBuilt: boolean, quiet: boolean): Promise<void> => {
  const start = performance.now()
  const chromium = findChromium()
  if (chromium === null || !isBuilt) {
    console.error(
      `The end-to-end tests did not run. ${chromium === null ? chromiumHelp : "The build failed."}`,
    )
    outcome.stages.push(stage("e2e", false, start))
    return
  }
  outcome.stages.push(await runProjects("e2e", ["e2e"], { quiet, env: { CHROMIUM_PATH: chromium } }))
}

const printOutcome = ({ stages, coverage, sizes }: Outcome, seconds: number): void => {
  const row = (one: TestRun): ReadonlyArray<string> => [
    one.name,
    one.seconds.toFixed(1),
    ...[one.passed, one.failed, one.skipped].map(String),
    one.ok ? "ok" : "FAILED",
  ]
  console.log(
    `\n${table([["stage", "seconds", "passed", "failed", "skipped", "result"], ...stages.map(row)])}`,
  )
  if (coverage.length > 0) {
    const percents = coverage.map((c) => [
      c.name,
      ...[c.lines, c.branches, c.functions].map((value) => `${value} %`),
    ])
    console.log(`\n${table([["coverage of the pure parts", "lines", "branches", "functions"], ...percents])}`)
  }
  if (sizes.length > 0) console.log(`\n${table([["downloaded", "raw", "gzip"], ...sizeRows(sizes)])}`)
  console.log(`\n${seconds} s`)
}

main(async () => {
  const options = readOptions(usage, { only: { type: "string", multiple: true }, json: { type: "boolean" } })
  const only = options.only ?? []
  const unknown = only.find((name) => !(names as ReadonlyArray<string>).includes(name))
  if (unknown !== undefined) {
    console.error(`no stage is called "${unknown}"\n\n${usage}`)
    return ExitCode.usage
  }
  const start = performance.now()
  const quiet = options.json === true
  const outcome: Outcome = { stages: [], coverage: [], sizes: [] }
  const wanted = (name: string): boolean => only.length === 0 || only.includes(name)
  if (only.length === 0) await runCheck(outcome, quiet)
  const fast = ["unit", "integration"].filter(wanted)
  if (fast.length > 0) await runFast(outcome, fast, quiet)
  if (wanted("e2e")) await runBrowser(outcome, await runBuild(outcome, quiet), quiet)
  const sum = (which: "passed" | "failed" | "skipped"): number =>
    outcome.stages.reduce((total, one) => total + one[which], 0)
  const totals = { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") }
  const seconds = secondsSince(start)
  const ok = outcome.stages.every((one) => one.ok)
  if (quiet) console.log(JSON.stringify({ ok, ...totals, seconds, ...outcome }))
  else {
    printOutcome(outcome, seconds)
    const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : ""
    console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`)
  }
  return ok ? 0 : ExitCode.failed
})
