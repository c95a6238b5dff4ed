/**
 * `pnpm sim`: runs seeds of the whole-engine simulation over the machine's cores and says which break an invariant, each with the
 * smallest list of events that shows it. For people and CI; nothing imports this file. Exit codes: 0 all hold, 1 some break,
 * 2 wrong usage.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import type { Plan } from "../testing/sim/events.ts"
import { profiles } from "../testing/sim/profiles.ts"
import { everyProfile } from "../testing/sim/simulate.ts"
import { type Failure, type Job, runJob, type Summary } from "./simJob.ts"

const usage = `Usage: sim [--seeds N] [--start S] [--seed S] [options]

Runs whole engines on virtual time against a model server, with faults at every point, and checks every invariant.

  --seeds N        how many seeds (default 200)
  --start S        the first seed (default 1)
  --seed S         this seed only
  --store NAME     memory (default) or pglite
  --graph FILE     a module that exports "graph", or a .json file (default: the example graph)
  --param K=V      a graph parameter (may be given several times; default: made up)
  --profile NAME   ${[everyProfile, ...profiles.map(({ name }) => name)].join(", ")} (default all: in turn)
  --plan FILE      run a plan that a failing seed printed, instead of seeds
  --save FILE      write the shrunk plan of the first failure
  --stop           end at the first failure, without shrinking it
  --trace          print everything that happens, with the engine's journal
  --workers N      threads (default: one per core)
  --json           print {seeds, steps, virtualMs, crashes, faults, failures, seedsPerSecond} and nothing else

Exit code: 0 all hold, 1 some break, 2 wrong usage.`

const complain = (message: string): never => {
  console.error(`sim: ${message}\n\n${usage}`)
  process.exit(2)
}

const parse = () => {
  try {
    return parseArgs({
      options: {
        seeds: { type: "string" },
        start: { type: "string" },
        seed: { type: "string" },
        store: { type: "string" },
        graph: { type: "string" },
        param: { type: "string", multiple: true },
        profile: { type: "string" },
        plan: { type: "string" },
        save: { type: "string" },
        workers: { type: "string" },
        stop: { type: "boolean" },
        trace: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values
  } catch (cause) {
    return complain(cause instanceof Error ? cause.message : String(cause))
  }
}

const whole = (name: string, text: string | undefined, fallback: number): number => {
  const value = Number(text ?? fallback)
  return Number.isSafeInteger(value) && value >= 0
    ? value
    : complain(`--${name} must be a whole number, not ${text}`)
}

const readParams = (given: ReadonlyArray<string>): Record<string, string> =>
  Object.fromEntries(
    given.map((pair): [string, string] => {
      const at = pair.indexOf("=")
      return at > 0
        ? [pair.slice(0, at), pair.slice(at + 1)]
        : complain(`--param takes name=value, not "${pair}"`)
    }),
  )

const options = parse()
if (options.help === true) {
  console.log(usage)
  process.exit(0)
}
const profile = options.profile ?? everyProfile
if (![everyProfile, ...profiles.map(({ name }) => name)].includes(profile))
  complain(`no profile is called "${profile}"`)
const store = options.store ?? "memory"
if (store !== "memory" && store !== "pglite") complain(`--store is memory or pglite, not "${store}"`)
const plan =
  options.plan === undefined ? null : (JSON.parse(readFileSync(resolve(options.plan), "utf8")) as Plan)
const single = plan !== null || options.seed !== undefined
const start = whole("start", options.seed ?? options.start, 1)
const seeds = single ? 1 : whole("seeds", options.seeds, 200)
const workers = Math.max(1, Math.min(seeds, whole("workers", options.workers, availableParallelism())))
const job: Job = {
  ...{ start, seeds, profile, plan },
  step: 1,
  store: store === "pglite" ? "pglite" : "memory",
  graph: options.graph === undefined ? null : resolve(options.graph),
  params: readParams(options.param ?? []),
  trace: options.trace === true,
  stop: options.stop === true,
}

const inThread = (share: Job): Promise<Summary> =>
  new Promise((done, fail) => {
    const worker = new Worker(new URL("./simWorker.ts", import.meta.url), { workerData: share })
    worker.on("message", done)
    worker.on("error", fail)
  })

const add = (left: Summary, right: Summary): Summary => ({
  seeds: left.seeds + right.seeds,
  steps: left.steps + right.steps,
  virtualMs: left.virtualMs + right.virtualMs,
  crashes: left.crashes + right.crashes,
  faults: left.faults + right.faults,
  failures: [...left.failures, ...right.failures].toSorted((a, b) => a.seed - b.seed),
  trace: [...left.trace, ...right.trace],
})

const began = performance.now()
const summaries =
  workers === 1
    ? [await runJob(job)]
    : await Promise.all(
        Array.from({ length: workers }, (_, index) =>
          inThread({
            ...job,
            start: start + index,
            step: workers,
            seeds: Math.ceil((seeds - index) / workers),
          }),
        ),
      )
const total = summaries.reduce(add)
const seconds = (performance.now() - began) / 1_000
const { trace, ...figures } = total
const report = {
  ...figures,
  seedsPerSecond: Math.round((total.seeds / seconds) * 10) / 10,
}
const timesRealTime = Math.round(total.virtualMs / 1_000 / seconds)

const printFailure = ({ events, message, plan: small, seed }: Failure): void => {
  console.log(
    `\n${message}\n\nShrunk to ${events} events; replay with: pnpm sim --seed ${seed} --profile ${profile} --trace`,
  )
  console.log(JSON.stringify(small, null, 1))
}

if (options.json === true) console.log(JSON.stringify(report))
else {
  for (const line of trace) console.log(line)
  for (const failure of total.failures) printFailure(failure)
  const { failures, ...rest } = report
  console.log(`\n${JSON.stringify({ ...rest, failures: failures.length, timesRealTime })}`)
}
const [first] = total.failures
if (options.save !== undefined && first !== undefined)
  writeFileSync(resolve(options.save), JSON.stringify(first.plan, null, 1))
// A pipe is written behind our back: the process may end once it has taken everything.
process.stdout.write("", () => process.exit(total.failures.length > 0 ? 1 : 0))
