/**
 * `pnpm bench`: measures a suite side by side with its peers, in one process and one run, and says which targets hold. It
 * reports and never fails for a missed target: a shared machine must not decide what may be merged.
 */
import { loadavg } from "node:os"
import { parseArgs } from "node:util"
import { ExitCode, main, table } from "../scripts/lib/cli.ts"
import { compare } from "./lib/compare.ts"
import type { Measure, SuiteOptions } from "./lib/measure.ts"
import { type Suite, suites } from "./suites/index.ts"

const usage = `Usage: pnpm bench SUITE [options]

Suites: ${Object.keys(suites).join(", ")}.
  --only IDS   measure only ids that begin with one of IDS (separated by commas; may be given several times)
  --compare R  measure the revision R and the working tree alternately, in a worktree, and print the ratios
  --rows N     rows of the large loads (default 100000; 20000 with --quick)
  --rounds N   rounds that count, after one for warming up (default 5; 2 with --quick)
  --quick      fewer rows and rounds
  --json       print {"suite", "measures": [{id, value, unit, target, ok, rounds, spread}]} and nothing else
               with --compare: {"suite", "revision", "comparisons": [{id, unit, before, after, ratio, rounds, spread}]}

"x faster" is the peer's time by ours, "x time" ours by the floor's, both taken within one round; values are medians.
${Object.entries(suites)
  .map(([name, { ids }]) => `Ids of ${name}: ${ids.join(", ")}`)
  .join("\n")}`

interface Arguments {
  readonly name: string
  readonly suite: Suite
  readonly json: boolean
  /** The revision to compare with. */
  readonly compare: string | null
  readonly only: ReadonlyArray<string>
  readonly options: SuiteOptions
}

const complain = (message: string): never => {
  console.error(`${message}\n\n${usage}`)
  process.exit(ExitCode.usage)
}

const positive = (name: string, text: string | undefined, fallback: number): number => {
  if (text === undefined) return fallback
  const value = Number(text)
  return Number.isSafeInteger(value) && value > 0
    ? value
    : complain(`--${name} must be a positive number, not ${text}`)
}

const parse = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        only: { type: "string", multiple: true },
        compare: { type: "string" },
        rows: { type: "string" },
        rounds: { type: "string" },
        quick: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    })
  } catch (cause) {
    return complain(cause instanceof Error ? cause.message : String(cause))
  }
}

const readArguments = (): Arguments => {
  const { positionals, values } = parse()
  if (values.help === true) {
    console.log(usage)
    process.exit(0)
  }
  const name = positionals.join(" ")
  const suite =
    suites[name] ?? complain(positionals.length === 0 ? "name a suite" : `no suite is called "${name}"`)
  const only = (values.only ?? []).flatMap((ids) => ids.split(",").filter((id) => id !== ""))
  for (const prefix of only) {
    if (!suite.ids.some((id) => id.startsWith(prefix))) complain(`no id of ${name} begins with "${prefix}"`)
  }
  const quick = values.quick === true
  return {
    name,
    suite,
    json: values.json === true,
    compare: values.compare ?? null,
    only,
    options: {
      rows: positive("rows", values.rows, quick ? 20_000 : 100_000),
      rounds: positive("rounds", values.rounds, quick ? 2 : 5),
      quick,
      wants: (id) => only.length === 0 || only.some((prefix) => id.startsWith(prefix)),
      log: (line) => console.error(line),
    },
  }
}

const rowOf = ({ id, ok, rounds, spread, target, unit, value }: Measure): ReadonlyArray<string> => [
  id,
  `${value} ${unit}`,
  target,
  ok ? "ok" : "MISSED",
  `${rounds}`,
  spread.join(" to "),
]

const compareWith = async (revision: string, { json, name, only, options }: Arguments): Promise<void> => {
  const comparisons = await compare({
    revision,
    suite: name,
    rounds: options.rounds,
    args: ["--rows", String(options.rows), ...only.flatMap((id) => ["--only", id])],
    log: options.log,
  })
  if (json) {
    console.log(JSON.stringify({ suite: name, revision, comparisons }))
    return
  }
  const rows = comparisons.map(({ after, before, id, ratio, rounds, spread, unit }) => [
    id,
    `${before} ${unit}`,
    `${after}`,
    `${ratio}`,
    `${rounds}`,
    spread.join(" to "),
  ])
  console.log(table([["id", revision, "now", "now by then", "rounds", "spread"], ...rows]))
}

main(async () => {
  const args = readArguments()
  const { json, name, options, suite } = args
  if (args.compare !== null) {
    await compareWith(args.compare, args)
    return 0
  }
  const measures = await suite.run(options)
  if (json) console.log(JSON.stringify({ suite: name, measures }))
  else {
    console.log(table([["id", "value", "target", "result", "rounds", "spread"], ...measures.map(rowOf)]))
    console.log(
      `\nload of the machine: ${loadavg()
        .map((load) => load.toFixed(1))
        .join(", ")}`,
    )
  }
  // The official client leaves long polls open.
  process.exit(0)
})
