/**
 * `pnpm torture`: the long versions of the store's tests, whose short samples run in `pnpm test`. They find what a sample is too
 * small for: random histories of overlapping shapes, a crash at every statement, processes that are really killed. Every
 * failure names what repeats it.
 */
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import { crashPoints } from "../packages/engine/test/store/crash/crashPoints.ts"
import { randomRuns, type StoreKind } from "../packages/engine/test/store/randomRuns.ts"
import { hardKills } from "../packages/worker/test/support/hardKills.ts"
import { leaderKills } from "../packages/worker/test/support/leaderKills.ts"
import { killRuns } from "../test/support/killRuns.ts"
import { CommandError, ExitCode, main, secondsSince, table } from "./lib/cli.ts"

const usage = `Usage: pnpm torture random|crash|kill|host|leaders [options]

  random   random operations over overlapping shapes, held to naive readers after every commit
    --ops N      operations (default 1000000)
    --store S    memory or pglite (default pglite)
  crash    the store dies at every statement boundary of every kind of work; what is on disk is opened, checked and resumed
    --points N   boundaries (default 2000)
    --only K     only this kind of work (may be given several times)
  kill     processes that sync are killed at random moments; what they leave is opened, checked and resumed
    --kills N    kills (default 200)
  host     a whole Chromium that syncs is killed at random moments; what its storage holds is opened, checked and resumed
    --kills N    kills (default 200)
  leaders  the leader among two to five tabs is closed, terminated or crashed while all read and the server's rows change
    --kills N    kills (default 200)
  --seed S     first seed (default 1)
  --json       print the report as one JSON object and nothing else

The exit code is 1 at the first difference; the message names its seed.`

const complain = (message: string): never => {
  console.error(`${message}\n\n${usage}`)
  process.exit(ExitCode.usage)
}

const parse = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        ops: { type: "string" },
        store: { type: "string" },
        points: { type: "string" },
        kills: { type: "string" },
        only: { type: "string", multiple: true },
        seed: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    })
  } catch (cause) {
    return complain(cause instanceof Error ? cause.message : String(cause))
  }
}

const positive = (name: string, text: string | undefined, fallback: number): number => {
  if (text === undefined) return fallback
  const value = Number(text)
  return Number.isSafeInteger(value) && value > 0
    ? value
    : complain(`--${name} must be a positive number, not ${text}`)
}

const storeKind = (text: string | undefined): StoreKind =>
  text === undefined || text === "pglite"
    ? "pglite"
    : text === "memory"
      ? "memory"
      : complain(`no store is called "${text}"`)

type Values = ReturnType<typeof parse>["values"]
type Report = Readonly<Record<string, unknown>>

const log = (line: string): void => console.error(line)

const modes: Readonly<Record<string, (values: Values, seed: number) => Effect.Effect<Report, unknown>>> = {
  random: (values, seed) =>
    Effect.map(
      randomRuns({
        store: storeKind(values.store),
        operations: positive("ops", values.ops, 1_000_000),
        seed,
        log,
      }),
      (report) => ({ ...report }),
    ),
  crash: (values, seed) =>
    Effect.map(
      crashPoints({
        points: positive("points", values.points, 2_000),
        seed,
        log,
        ...(values.only === undefined ? {} : { only: values.only }),
      }),
      (report) => ({ ...report }),
    ),
  kill: (values, seed) =>
    Effect.map(killRuns({ kills: positive("kills", values.kills, 200), seed, log }), (report) => ({
      ...report,
    })),
  host: (values, seed) =>
    Effect.tryPromise({
      try: async () => ({ ...(await hardKills({ kills: positive("kills", values.kills, 200), seed, log })) }),
      catch: (cause) => cause,
    }),
  leaders: (values, seed) =>
    Effect.tryPromise({
      try: async () => ({
        ...(await leaderKills({ kills: positive("kills", values.kills, 200), seed, log })),
      }),
      catch: (cause) => cause,
    }),
}

const rowsOf = (report: Report): ReadonlyArray<ReadonlyArray<string>> =>
  Object.entries(report).flatMap(([name, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value).map(([kind, count]) => [`  ${kind}`, String(count)])
      : [[name, String(value)]],
  )

main(async () => {
  const { positionals, values } = parse()
  if (values.help === true) {
    console.log(usage)
    return 0
  }
  const start = performance.now()
  const [name = ""] = positionals
  const mode = modes[name]
  if (mode === undefined || positionals.length !== 1)
    return complain(`there is no "${positionals.join(" ")}"`)
  const report = await Effect.runPromise(mode(values, positive("seed", values.seed, 1))).catch(
    (cause: unknown) => {
      throw new CommandError(cause instanceof Error ? cause.message : String(cause))
    },
  )
  const told = { ...report, seconds: secondsSince(start) }
  console.log(values.json === true ? JSON.stringify({ ok: true, ...told }) : table(rowsOf(told)))
  return 0
})
