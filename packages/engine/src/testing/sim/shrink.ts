/**
 * Makes a failing plan small: leaves out events, rows and writes as long as the same invariant still breaks. Exists because twenty
 * events can be read and four hundred cannot. Knows nothing of why a run fails.
 */
import type { Plan, SimEvent } from "./events.ts"
import { type RunOptions, type RunOutcome, runPlan } from "./runPlan.ts"

export interface Shrunk {
  readonly plan: Plan
  readonly outcome: RunOutcome
  /** Runs it took. */
  readonly runs: number
}

/** Runs a shrink may take at most. */
export const maxShrinkRuns = 600

/** The smallest plan found that breaks the invariant the outcome names. */
export const shrink = async (plan: Plan, failed: RunOutcome, options: RunOptions): Promise<Shrunk> => {
  const wanted = failed.violation?.invariant
  const state = { plan, outcome: failed, runs: 0 }
  const tryPlan = async (candidate: Plan): Promise<boolean> => {
    if (state.runs >= maxShrinkRuns) return false
    state.runs++
    const outcome = await runPlan(candidate, { ...options, trace: false })
    if (outcome.violation?.invariant !== wanted) return false
    state.plan = candidate
    state.outcome = outcome
    return true
  }
  for (let size = Number.POSITIVE_INFINITY; size > sizeOf(state.plan);) {
    size = sizeOf(state.plan)
    await without(
      () => state.plan.events,
      (events) => tryPlan({ ...state.plan, events }),
    )
    await without(
      () => state.plan.rows,
      (rows) => tryPlan({ ...state.plan, rows }),
    )
    for (let index = 0; index < state.plan.events.length; index++) await shrinkWrites(state, index, tryPlan)
    for (let index = 0; index < state.plan.events.length; index++) await joinAdvances(state, index, tryPlan)
  }
  for (const plainer of plainerSettings(state.plan)) await tryPlan({ ...state.plan, ...plainer })
  return state
}

/** Events, rows and writes left. */
const sizeOf = ({ events, rows }: Plan): number =>
  rows.length +
  events.reduce((sum, event) => sum + 1 + (event._tag === "Commit" ? event.writes.length : 0), 0)

/** Leaves out halves, then quarters, then single items, whatever goes. */
const without = async <Item>(
  items: () => ReadonlyArray<Item>,
  attempt: (rest: ReadonlyArray<Item>) => Promise<boolean>,
): Promise<void> => {
  for (let size = Math.ceil(items().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < items().length;) {
      const rest = [...items().slice(0, from), ...items().slice(from + size)]
      if (!(await attempt(rest))) from += size
    }
  }
}

const shrinkWrites = async (
  state: { readonly plan: Plan },
  index: number,
  tryPlan: (plan: Plan) => Promise<boolean>,
): Promise<void> => {
  const writesNow = () => {
    const event = state.plan.events[index]
    return event?._tag === "Commit" ? event.writes : []
  }
  if (writesNow().length < 2) return
  await without(writesNow, (writes) => {
    const event = state.plan.events[index]
    if (event?._tag !== "Commit" || writes.length === 0) return Promise.resolve(false)
    const events: ReadonlyArray<SimEvent> = state.plan.events.with(index, { ...event, writes })
    return tryPlan({ ...state.plan, events })
  })
}

/** Two stretches of time with nothing between them are one. */
const joinAdvances = async (
  state: { readonly plan: Plan },
  index: number,
  tryPlan: (plan: Plan) => Promise<boolean>,
): Promise<void> => {
  for (;;) {
    const { events } = state.plan
    const [one, next] = [events[index], events[index + 1]]
    if (one?._tag !== "Advance" || next?._tag !== "Advance") return
    const joined: SimEvent = { _tag: "Advance", millis: one.millis + next.millis }
    if (!(await tryPlan({ ...state.plan, events: events.with(index, joined).toSpliced(index + 1, 1) })))
      return
  }
}

/** The same plan in a quieter world, one setting at a time. */
const plainerSettings = ({ config, server, source }: Plan): ReadonlyArray<Partial<Plan>> => [
  { server: { ...server, latencyMillis: [0, 0] } },
  { server: { ...server, moveMillis: 0 } },
  { server: { ...server, snapshotChunk: 1_000, logChunk: 1_000 } },
  { source: { ...source, prefetch: false, signals: false } },
  { config: { ...config, maxConnections: 64 } },
]
