/** Laws of the plan: it leads to desired, in the right order, whatever the maps. */
import { describe, expect, it } from "vitest"
import { type ActualEntry, type DesiredEntry, diff, type Plan } from "../../src/graph/index.ts"
import { forSeeds, type Seeded } from "../../src/testing/random.ts"

const keys = Array.from({ length: 12 }, (_, index) => `k${index}`)

/** A key's depth is its place in the graph, so it is the same on both sides. */
const depthOf = (key: string): number => Number(key.slice(1)) % 4

const desiredOf = (random: Seeded): Map<string, DesiredEntry> =>
  new Map(
    random
      .shuffle(keys.filter(() => random.chance(0.5)))
      .map((key) => [key, { hash: `h${random.below(2)}`, priority: random.below(3), depth: depthOf(key) }]),
  )

const actualOf = (random: Seeded): Map<string, ActualEntry> =>
  new Map(
    random
      .shuffle(keys.filter(() => random.chance(0.5)))
      .map((key) => [key, { hash: `h${random.below(2)}`, depth: depthOf(key) }]),
  )

const apply = (plan: Plan, desired: Map<string, DesiredEntry>, actual: Map<string, ActualEntry>) => {
  const running = new Map([...actual].map(([key, { depth, hash }]) => [key, { depth, hash }]))
  for (const key of [...plan.stop, ...plan.restart]) running.delete(key)
  for (const key of [...plan.restart, ...plan.start]) {
    const entry = desired.get(key)
    if (entry === undefined || running.has(key)) throw new Error(`cannot start ${key}`)
    running.set(key, { depth: entry.depth, hash: entry.hash })
  }
  return running
}

const sorted = (map: ReadonlyMap<string, ActualEntry>) =>
  [...map]
    .map(([key, { depth, hash }]) => [key, hash, depth] as const)
    .sort(([left], [right]) => left.localeCompare(right))

describe("the plan", () => {
  it("leads from actual to desired", () => {
    forSeeds(500, (random) => {
      const [desired, actual] = [desiredOf(random), actualOf(random)]
      expect(sorted(apply(diff(desired, actual), desired, actual))).toEqual(sorted(desired))
    })
  })

  it("is empty once it was applied", () => {
    forSeeds(500, (random) => {
      const [desired, actual] = [desiredOf(random), actualOf(random)]
      const again = diff(desired, apply(diff(desired, actual), desired, actual))
      expect(again).toEqual({ stop: [], restart: [], start: [], keep: [...desired.keys()].sort() })
    })
  })

  it("names every instance of either side exactly once", () => {
    forSeeds(500, (random) => {
      const [desired, actual] = [desiredOf(random), actualOf(random)]
      const { keep, restart, start, stop } = diff(desired, actual)
      const named = [...stop, ...restart, ...start, ...keep]
      expect(named.toSorted()).toEqual([...new Set([...desired.keys(), ...actual.keys()])].sort())
    })
  })

  it("stops children first, and starts parents first, then the larger priority, then by key", () => {
    forSeeds(500, (random) => {
      const [desired, actual] = [desiredOf(random), actualOf(random)]
      const { restart, start, stop } = diff(desired, actual)
      const depths = stop.map((key) => actual.get(key)?.depth ?? 0)
      expect(depths).toEqual(depths.toSorted((left, right) => right - left))
      for (const list of [start, restart]) {
        const ranks = list.map(
          (key) => [desired.get(key)?.depth ?? 0, -(desired.get(key)?.priority ?? 0), key] as const,
        )
        for (const [index, rank] of ranks.entries()) {
          const before = ranks[index - 1]
          if (before === undefined) continue
          const order = before[0] - rank[0] || before[1] - rank[1] || before[2].localeCompare(rank[2])
          expect(order).toBeLessThan(0)
        }
      }
    })
  })

  it("does not depend on the order of the maps", () => {
    forSeeds(200, (random) => {
      const [desired, actual] = [desiredOf(random), actualOf(random)]
      const plan = diff(new Map(random.shuffle([...desired])), new Map(random.shuffle([...actual])))
      expect(plan).toEqual(diff(desired, actual))
    })
  })
})
