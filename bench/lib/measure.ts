/**
 * How the suites measure: rounds in which every variant runs once, in rotated order, so that ratios are taken between
 * neighbours in time and a busy machine harms all alike. Knows nothing of what it measures. Called by the suites.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** One printed line. */
export interface Measure {
  readonly id: string
  readonly value: number
  /** `x faster`: the peer's time by ours. `x time`: ours by the floor's. */
  readonly unit: string
  readonly target: string
  readonly ok: boolean
  readonly rounds: number
  /** Smallest and largest value of a round. */
  readonly spread: readonly [min: number, max: number]
}

/** What a suite is asked for. */
export interface SuiteOptions {
  /** Rows of the large loads. */
  readonly rows: number
  readonly rounds: number
  /** A fast look: fewer of everything. */
  readonly quick: boolean
  /** Whether an id is wanted. */
  readonly wants: (id: string) => boolean
  /** Progress for a person; goes to standard error. */
  readonly log: (line: string) => void
}

/** A target: `at-least` for speed-ups, `at-most` for costs. */
export interface Target {
  readonly sense: "at-least" | "at-most"
  readonly value: number
}

export const atLeast = (value: number): Target => ({ sense: "at-least", value })
export const atMost = (value: number): Target => ({ sense: "at-most", value })

/** The middle value. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((left, right) => left - right)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

/** A measure of one value per round. */
export const measureOf = (
  id: string,
  values: ReadonlyArray<number>,
  unit: string,
  target: Target,
): Measure => {
  const value = round(median(values))
  return {
    id,
    value,
    unit,
    target: `${target.sense === "at-least" ? ">=" : "<="} ${target.value}`,
    ok: target.sense === "at-least" ? value >= target.value : value <= target.value,
    rounds: values.length,
    spread: [round(Math.min(...values)), round(Math.max(...values))],
  }
}

/** Milliseconds of each variant, by name and round. The first round of all is warm-up and not kept. */
export const inRounds = async <Name extends string>(
  options: SuiteOptions,
  variants: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Readonly<Record<Name, ReadonlyArray<number>>>> => {
  const names = Object.keys(variants) as Array<string> as Array<Name>
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Array<number>>
  for (let turn = 0; turn <= options.rounds; turn += 1) {
    for (let index = 0; index < names.length; index += 1) {
      const name = names[(index + turn) % names.length]
      if (name === undefined) continue
      collectGarbage()
      const millis = await variants[name]()
      if (turn > 0) times[name].push(millis)
      options.log(`  ${turn === 0 ? "warm-up" : `round ${turn}`}  ${name}  ${millis.toFixed(1)} ms`)
    }
  }
  return times
}

/** Quotients of two variants, round by round. */
export const ratios = (above: ReadonlyArray<number>, below: ReadonlyArray<number>): ReadonlyArray<number> =>
  above.map((value, index) => value / (below[index] ?? Number.NaN))

/** Milliseconds that `work` takes. */
export const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

setFlagsFromString("--expose-gc")
const gc = runInNewContext("gc") as () => void

/** A full collection, so that one variant does not pay for another's garbage. */
export const collectGarbage = (): void => gc()

const round = (value: number): number => Math.round(value * 1000) / 1000
