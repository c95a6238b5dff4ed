/**
 * Repeatable random numbers: one seed, one sequence, on every runtime. Exists because a simulation is only worth its replay.
 * Pure but for its own counter; called by the model server, the simulator, and every property test, fuzz and benchmark of the
 * workspace, never by the engine, which takes Effect's `Random`.
 */

export interface Seeded {
  /** In [0, 1). */
  readonly next: () => number
  /** A whole number in [0, limit). */
  readonly below: (limit: number) => number
  /** A whole number in [low, high]. */
  readonly between: (low: number, high: number) => number
  readonly chance: (probability: number) => boolean
  /** One of these; throws when there is none. */
  readonly pick: <Item>(items: ReadonlyArray<Item>) => Item
  readonly shuffle: <Item>(items: ReadonlyArray<Item>) => Array<Item>
  /** A UUID of version 4. */
  readonly uuid: () => string
  /** A number to seed another sequence with, so that removing draws here does not shift the draws there. */
  readonly fork: () => Seeded
}

/** A sequence of its own (mulberry32). */
export const seeded = (seed: number): Seeded => {
  let state = Math.trunc(seed) >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const hex = (length: number): string => Array.from({ length }, () => below(16).toString(16)).join("")
  return {
    next,
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (probability) => next() < probability,
    pick: (items) => {
      const item = items[below(items.length)]
      if (item === undefined) throw new Error("there is nothing to pick from")
      return item
    },
    shuffle: (items) => {
      const rest = [...items]
      const shuffled = []
      while (rest.length > 0) shuffled.push(...rest.splice(below(rest.length), 1))
      return shuffled
    },
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
    fork: () => seeded(Math.floor(next() * 4_294_967_296)),
  }
}

/** Runs a property once per seed, from 1, and names the seed that fails. */
export const forSeeds = (count: number, property: (random: Seeded, seed: number) => void): void => {
  for (let seed = 1; seed <= count; seed += 1) {
    try {
      property(seeded(seed), seed)
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
  }
}

/** What Effect's `Random` service asks for, out of a sequence of ours. */
export const randomService = (random: Seeded) => ({
  nextIntUnsafe: (): number => Math.floor((random.next() * 2 - 1) * Number.MAX_SAFE_INTEGER),
  nextDoubleUnsafe: random.next,
})
