/**
 * `pnpm sim:mutations`: applies each deliberate defect to a copy of the engine's source, runs the simulation on it, and says by which
 * seed and invariant it was caught. The tree itself is never touched. Exit codes: 0 all caught, 1 some survived, 2 wrong usage.
 */
import { spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { invariants } from "../../../src/testing/sim/violations.ts"
import { type Mutation, mutations } from "./list.ts"

const usage = `Usage: sim:mutations [--only ID] [--seeds N] [--shrink] [--json]

Proves that the simulation catches deliberate defects, each within N seeds (default 2000).

  --only ID   this defect only (may be given several times)
  --few       every sixth defect
  --shrink    also shrink what caught it, and say how many events are left
  --json      print {caught, survived, unproved, mutations: [{id, what, caught, seed, seeds, invariant, events, seconds}]}`

const engine = fileURLToPath(new URL("../../..", import.meta.url))

interface Verdict {
  readonly id: string
  readonly what: string
  readonly caught: boolean
  /** Seeds it took. */
  readonly seeds: number
  readonly seed: number | null
  readonly invariant: string | null
  /** Events of the shrunk plan; null unless asked for. */
  readonly events: number | null
  readonly seconds: number
}

/** A copy of the package with one defect in it. */
const plant = (folder: string, { file, find, id, replace }: Mutation): string => {
  const copy = join(folder, id)
  mkdirSync(copy, { recursive: true })
  for (const part of ["src", "examples", "package.json"])
    cpSync(join(engine, part), join(copy, part), { recursive: true })
  symlinkSync(join(engine, "node_modules"), join(copy, "node_modules"))
  const path = join(copy, "src", file)
  const text = readFileSync(path, "utf8")
  const parts = text.split(find)
  if (parts.length !== 2)
    throw new Error(`${id}: the text to replace occurs ${parts.length - 1} times in ${file}`)
  writeFileSync(path, parts.join(replace))
  return copy
}

interface Run {
  readonly start: number
  readonly seeds: number
  /** End at the first failure, without shrinking it. */
  readonly stop: boolean
}

const run = (copy: string, { graph, profile }: Mutation, { seeds, start, stop }: Run): Promise<string> =>
  new Promise((done, fail) => {
    const command = join(copy, "src/cli/sim.ts")
    const range = ["--start", String(start), "--seeds", String(seeds), "--workers", "1"]
    const args = ["--preserve-symlinks-main", command, ...range, "--json", ...(stop ? ["--stop"] : [])]
    if (graph !== undefined) args.push("--graph", join(copy, `examples/${graph}.graph.ts`))
    if (profile !== undefined) args.push("--profile", profile)
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.on("error", fail)
    child.on("exit", () => done(output))
  })

interface Report {
  readonly seeds: number
  readonly failures: ReadonlyArray<{
    readonly seed: number
    readonly invariant: string
    readonly events: number
  }>
}

const reportOf = async (copy: string, mutation: Mutation, what: Run): Promise<Report> => {
  const output = await run(copy, mutation, what)
  const line = output.split("\n").find((text) => text.startsWith("{"))
  if (line === undefined)
    throw new Error(`${mutation.id}: the simulation did not run: ${output.slice(0, 500)}`)
  return JSON.parse(line) as Report
}

const judge = async (
  folder: string,
  mutation: Mutation,
  seeds: number,
  shrinks: boolean,
): Promise<Verdict> => {
  const began = performance.now()
  const copy = plant(folder, mutation)
  const report = await reportOf(copy, mutation, { start: 1, seeds, stop: true })
  const [failure] = report.failures
  const small =
    shrinks && failure !== undefined
      ? await reportOf(copy, mutation, { start: failure.seed, seeds: 1, stop: false })
      : null
  rmSync(copy, { recursive: true })
  return {
    id: mutation.id,
    what: mutation.what,
    caught: failure !== undefined,
    seeds: report.seeds,
    seed: failure?.seed ?? null,
    invariant: failure?.invariant ?? null,
    events: small?.failures[0]?.events ?? null,
    seconds: Math.round((performance.now() - began) / 100) / 10,
  }
}

const options = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    seeds: { type: "string" },
    few: { type: "boolean" },
    shrink: { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
}).values
if (options.help === true) {
  console.log(usage)
  process.exit(0)
}
const unknown = (options.only ?? []).find((id) => !mutations.some((mutation) => mutation.id === id))
if (unknown !== undefined) {
  console.error(`no mutation is called "${unknown}"\n\n${usage}`)
  process.exit(2)
}
const chosen = mutations.filter(
  ({ id }, index) => (options.only?.includes(id) ?? true) && (options.few !== true || index % 6 === 0),
)
const folder = mkdtempSync(join(tmpdir(), "mutations-"))
const verdicts: Array<Verdict> = []
const queue = [...chosen]
const worker = async (): Promise<void> => {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const verdict = await judge(folder, next, Number(options.seeds ?? 2_000), options.shrink === true)
    verdicts.push(verdict)
    if (options.json !== true) {
      const { caught, events, id, invariant, seconds, seeds, what } = verdict
      const left = events === null ? "" : `, shrunk to ${events} events`
      const result = caught ? `caught by "${invariant}" in ${seeds} seeds${left}` : `SURVIVED ${seeds} seeds`
      console.log(`${id.padEnd(28)} ${result.padEnd(52)} ${seconds} s  ${what}`)
    }
  }
}
try {
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
const survived = verdicts.filter(({ caught }) => !caught).length
/** Invariants that no deliberate defect broke: what they watch over is not proved. Only said of a whole run. */
const breached = new Set(verdicts.map(({ invariant }) => invariant))
const unproved =
  chosen.length < mutations.length ? [] : Object.keys(invariants).filter((name) => !breached.has(name))
const order = new Map(mutations.map(({ id }, index) => [id, index]))
verdicts.sort((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0))
if (options.json === true)
  console.log(JSON.stringify({ caught: verdicts.length - survived, survived, unproved, mutations: verdicts }))
else {
  console.log(`\n${verdicts.length - survived} caught, ${survived} survived`)
  if (unproved.length > 0) console.log(`no defect broke: ${unproved.join(", ")}`)
}
// A pipe is written behind our back: the process may end once it has taken everything.
process.stdout.write("", () => process.exit(survived > 0 ? 1 : 0))
