/**
 * `pnpm check`: everything that can be said about the code without running the product, in under a minute, two parts
 * side by side. Prints a table; exits 1 when any part fails.
 */
import { existsSync } from "node:fs"
import { ExitCode, main, readOptions, secondsSince, table } from "./lib/cli.ts"
import { runNode, type Finished } from "./lib/child.ts"
import { at, binFolder } from "./lib/paths.ts"

const usage = `Usage: pnpm check [--fix] [--only NAME] [--json]

Parts: types, types-vue, types-demo, types-playground, effect, reference, lint, format, tidy.
  --fix        first let oxlint and oxfmt repair what they can, and write the API reference and quotations anew
  --only NAME  run one part (may be given several times)
  --json       print {ok, seconds, parts: [{name, ok, seconds, output}]} and nothing else`

export interface Part {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
  readonly output: string
}

interface Step {
  readonly name: string
  /** Why the step does not apply now, or null. */
  readonly absent?: () => string | null
  readonly run: () => Promise<Finished>
}

const bin = (name: string): string => `${binFolder}/${name}`
const missing = (path: string) => () => (existsSync(at(path)) ? null : `${path} does not exist`)

const vueTsc = "packages/vue-bindings/node_modules/vue-tsc/bin/vue-tsc.js"
const nuxt = "apps/demo/node_modules/nuxt/bin/nuxt.mjs"

/** The longest first, so that none of them is left running alone at the end. */
const steps: ReadonlyArray<Step> = [
  {
    name: "types-demo",
    absent: missing("apps/demo/nuxt.config.ts"),
    run: () => runNode([at(nuxt), "typecheck"], { cwd: at("apps/demo") }),
  },
  {
    name: "types-playground",
    run: () =>
      runNode([at("apps/playground/node_modules/nuxt/bin/nuxt.mjs"), "typecheck"], {
        cwd: at("apps/playground"),
      }),
  },
  {
    name: "types-vue",
    absent: missing("packages/vue-bindings/src/index.ts"),
    run: () => runNode([at(vueTsc), "--noEmit", "-p", at("packages/vue-bindings/tsconfig.json")]),
  },
  { name: "types", run: () => runNode([bin("tsc"), "-b", "--pretty", "false"]) },
  {
    name: "effect",
    run: () =>
      runNode([bin("effect-tsgo"), "diagnostics", "--project", at("tsconfig.json"), "--format", "text"]),
  },
  { name: "reference", run: () => runNode([at("scripts", "apiReference.ts"), "--check"]) },
  { name: "lint", run: () => runNode([bin("oxlint"), "--report-unused-disable-directives"]) },
  { name: "format", run: () => runNode([bin("oxfmt"), "--check", "."]) },
  {
    name: "tidy",
    run: () => runNode([bin("vitest"), "run", "--project", "unit", "test/tidy.test.ts", "--reporter=dot"]),
  },
]

const perform = async (step: Step): Promise<Part> => {
  const reason = step.absent?.() ?? null
  if (reason !== null) return { name: step.name, ok: true, seconds: 0, output: `skipped: ${reason}` }
  const start = performance.now()
  const { code, output } = await step.run()
  return { name: step.name, ok: code === 0, seconds: secondsSince(start), output: output.trim() }
}

/** At most two at a time: more only makes two-core machines slower. */
const performAll = async (steps: ReadonlyArray<Step>): Promise<ReadonlyArray<Part>> => {
  const queue = [...steps.keys()]
  const parts: Array<Part> = []
  const worker = async (): Promise<void> => {
    for (let i = queue.shift(); i !== undefined; i = queue.shift()) parts[i] = await perform(steps[i]!)
  }
  await Promise.all([worker(), worker()])
  return parts
}

const fix = async (): Promise<void> => {
  await runNode([bin("oxlint"), "--fix"])
  await runNode([bin("oxfmt"), "."])
  await runNode([at("scripts", "apiReference.ts")])
  await runNode([at("scripts", "quote.ts")])
}

/** Runs the parts; `scripts/test.ts` calls this too. */
export const check = async (only: ReadonlyArray<string> = []): Promise<ReadonlyArray<Part>> => {
  const wanted = (step: Step): boolean => only.length === 0 || only.includes(step.name)
  return performAll(steps.filter(wanted))
}

export const printParts = (parts: ReadonlyArray<Part>): void => {
  for (const part of parts) {
    if (!part.ok) console.log(`--- ${part.name}\n${part.output}\n`)
  }
  const state = (part: Part): string => {
    if (part.output.startsWith("skipped:")) return part.output
    return part.ok ? "ok" : "FAILED"
  }
  console.log(
    table([["check", "seconds", "result"], ...parts.map((p) => [p.name, p.seconds.toFixed(1), state(p)])]),
  )
}

if (import.meta.main) {
  main(async () => {
    const options = readOptions(usage, {
      fix: { type: "boolean" },
      only: { type: "string", multiple: true },
      json: { type: "boolean" },
    })
    const known = steps.map(({ name }) => name)
    for (const name of options.only ?? []) {
      if (known.includes(name)) continue
      console.error(`no part is called "${name}"\n\n${usage}`)
      return ExitCode.usage
    }
    const start = performance.now()
    if (options.fix === true) await fix()
    const parts = await check(options.only ?? [])
    const ok = parts.every((part) => part.ok)
    const seconds = secondsSince(start)
    if (options.json === true) console.log(JSON.stringify({ ok, seconds, parts }))
    else {
      printParts(parts)
      console.log(`\n${ok ? "all good" : "check failed"} in ${seconds} s`)
    }
    return ok ? 0 : ExitCode.failed
  })
}
