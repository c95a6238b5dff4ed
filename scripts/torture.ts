/**
 * `pnpm torture`: the long versions of the store's tests, whose short samples run in `pnpm test`. They find what a sample is too
 * small for: random histories of overlapping shapes, a crash at every statement, processes that are really killed. Every
 * failure names what repeats it.
 */
import * as Effect from "effect/Effect"
import { randomRuns, type StoreKind } from "../packages/engine/test/store/randomRuns.ts"
import { CommandError, ExitCode, main, secondsSince, table } from "./lib/cli.ts"
import { parseArgs } from "node:util"

const usage = `Usage: pnpm torture random|crash|kill [options]

  random   random operations over overlapping shapes, held to naive readers after every commit
    --ops N      operations (default 1000000)
    --store S    memory or pglite (default pglite)
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

main(async () => {
  const { positionals, values } = parse()
  if (values.help === true) {
    console.log(usage)
    return 0
  }
  const start = performance.now()
  const seed = positive("seed", values.seed, 1)
  const log = (line: string): void => console.error(line)
  const [what] = positionals
  if (what !== "random" || positionals.length !== 1) return complain(`what is "${positionals.join(" ")}"?`)
  const report = await Effect.runPromise(
    randomRuns({
      store: storeKind(values.store),
      operations: positive("ops", values.ops, 1_000_000),
      seed,
      log,
    }),
  ).catch((cause: unknown) => {
    throw new CommandError(cause instanceof Error ? cause.message : String(cause))
  })
  const { byKind, ...rest } = report
  const seconds = secondsSince(start)
  if (values.json === true) console.log(JSON.stringify({ ok: true, ...rest, byKind, seconds }))
  else
    console.log(table([...Object.entries({ ...rest, seconds }), ...Object.entries(byKind)].map(([name, value]) => [name, String(value)])))
  return 0
})
