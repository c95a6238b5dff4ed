/** Runs the cases against servers and reports. Each case has tables of its own, so several run at once. */
import type { Case } from "./Case.ts"
import { Context, type RunSql, type Servers } from "./Context.ts"
import { cases as changes } from "./cases/changes.ts"
import { cases as conditions } from "./cases/conditions.ts"
import { cases as live } from "./cases/live.ts"
import { cases as routes } from "./cases/routes.ts"
import { cases as snapshot } from "./cases/snapshot.ts"
import { cases as streams } from "./cases/streams.ts"
import { cases as subset } from "./cases/subset.ts"
import { cases as validation } from "./cases/validation.ts"
import { type Difference, differences, kindOf } from "./differences.ts"

/** Every case, in the order of the files. */
export const allCases: ReadonlyArray<Case> = [
  ...routes,
  ...validation,
  ...snapshot,
  ...changes,
  ...live,
  ...streams,
  ...subset,
  ...conditions,
]

/** What became of one case. `ok` is null for one that was skipped; `detail` says why it failed or was skipped. */
export interface Outcome {
  readonly id: string
  readonly item: number
  readonly name: string
  readonly ok: boolean | null
  readonly detail: string | null
}

/** The report of a run. */
export interface Report {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly cases: ReadonlyArray<Outcome>
}

const matches = (difference: Difference, id: string): boolean =>
  difference.id.endsWith("*") ? id.startsWith(difference.id.slice(0, -1)) : id === difference.id

/** Complains of a list of cases or differences that contradicts itself. */
export const checkLists = (cases: ReadonlyArray<Case>): ReadonlyArray<string> => [
  ...cases
    .filter((one, index) => cases.findIndex((other) => other.id === one.id) !== index)
    .map((one) => `two cases are called ${one.id}`),
  ...differences
    .filter((difference) => !cases.some((one) => matches(difference, one.id)))
    .map((difference) => `no case is called ${difference.id}`),
]

const reasonToSkip = (one: Case, servers: Servers, differing: ReadonlyArray<Difference>): string | null => {
  const known = differing.find((difference) => matches(difference, one.id))
  if (known !== undefined) return known.reason
  if (one.needs === "secret" && servers.secret === null) return "no server with a secret was given"
  if (one.needs === "chunk" && servers.chunk === null) return "no server with small chunks was given"
  if (one.needs === "delete" && !servers.allowsDelete) return "the server does not allow DELETE"
  if (one.needs === "restart" && servers.restartable === null) return "this run cannot restart the server"
  return null
}

/** Runs `cases`, `width` at a time. */
export const runCases = async (
  cases: ReadonlyArray<Case>,
  servers: Servers,
  sql: RunSql,
  width: number,
  told: (outcome: Outcome) => void = () => undefined,
): Promise<Report> => {
  const health = await fetch(`${servers.main}/v1/health`)
  const kind = kindOf(health.headers.get("electric-server"))
  const differing = differences.filter((difference) => difference.server === kind)
  const outcomes = new Map<string, Outcome>()
  const prefix = `conf_${Date.now().toString(36)}`
  const waiting = cases.entries()
  const work = async (): Promise<void> => {
    for (const [index, one] of waiting) {
      const skip = reasonToSkip(one, servers, differing)
      const detail = skip ?? (await attempt(one, new Context(servers, sql, `${prefix}_${index}`)))
      const ok = skip === null ? detail === null : null
      const outcome = { id: one.id, item: one.item, name: one.name, ok, detail }
      outcomes.set(one.id, outcome)
      told(outcome)
    }
  }
  await Promise.all(Array.from({ length: width }, work))
  const inOrder = cases.flatMap((one) => outcomes.get(one.id) ?? [])
  return {
    passed: inOrder.filter((one) => one.ok === true).length,
    failed: inOrder.filter((one) => one.ok === false).length,
    skipped: inOrder.filter((one) => one.ok === null).length,
    cases: inOrder,
  }
}

/** Why the case failed, or `null`. */
const attempt = async (one: Case, context: Context): Promise<string | null> => {
  let detail: string | null = null
  try {
    await one.run(context)
  } catch (error) {
    detail = error instanceof Error ? error.message : String(error)
  }
  try {
    await context.cleanUp()
  } catch (error) {
    detail ??= `its tables could not be removed: ${String(error)}`
  }
  return detail
}
