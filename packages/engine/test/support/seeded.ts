/** A seeded generator for property tests: a failing seed is in the test's message and replays exactly. */
export interface Seeded {
  /** An integer in `[0, limit)`. */
  readonly below: (limit: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <Value>(values: ReadonlyArray<Value>) => Value
  readonly uuid: () => string
  readonly shuffle: <Value>(values: ReadonlyArray<Value>) => Array<Value>
}

/** Mulberry32: small, fast, good enough to vary test cases. */
export const seeded = (seed: number): Seeded => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const hex = (length: number): string => Array.from({ length }, () => below(16).toString(16)).join("")
  return {
    below,
    chance: (probability) => next() < probability,
    pick: (values) => {
      const value = values[below(values.length)]
      if (value === undefined) throw new Error("pick from an empty list")
      return value
    },
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
    shuffle: (values) => {
      const rest = [...values]
      const shuffled = []
      while (rest.length > 0) shuffled.push(...rest.splice(below(rest.length), 1))
      return shuffled
    },
  }
}

/** Runs a property once per seed and names the seed that fails. */
export const forSeeds = (count: number, property: (random: Seeded, seed: number) => void): void => {
  for (let seed = 1; seed <= count; seed += 1) {
    try {
      property(seeded(seed), seed)
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
  }
}
