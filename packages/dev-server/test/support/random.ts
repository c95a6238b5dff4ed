/** A seeded generator, so that a failing run can be repeated: `ENGINE_SEED` picks the seed, `ENGINE_RUNS` the number of runs. */

/** Numbers and choices from one seed. */
export interface Rng {
  readonly int: (low: number, high: number) => number
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  readonly chance: (probability: number) => boolean
}

export const makeRng = (seed: number): Rng => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    int,
    pick: (items) => {
      const item = items[int(0, items.length - 1)]
      if (item === undefined) throw new Error("nothing to pick from")
      return item
    },
    chance: (probability) => next() < probability,
  }
}

export const firstSeed = Number(process.env["ENGINE_SEED"] ?? "1")
export const runs = Number(process.env["ENGINE_RUNS"] ?? "12")
