/**
 * Repeatable random numbers: one seed, one sequence, on every runtime. Exists because a simulation is only worth its replay.
 * Pure but for its own counter; called by the model server and the simulator, never by the engine, which takes Effect's `Random`.
 */

export interface Seeded {
  /** In [0, 1). */
  readonly next: () => number
  /** A whole number in [0, limit). */
  readonly below: (limit: number) => number
  /** A whole number in [low, high]. */
  readonly between: (low: number, high: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <Item>(items: readonly [Item, ...ReadonlyArray<Item>]) => Item
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
  return {
    next,
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (probability) => next() < probability,
    pick: (items) => items[below(items.length)] ?? items[0],
    fork: () => seeded(Math.floor(next() * 4_294_967_296)),
  }
}

/** What Effect's `Random` service asks for, out of a sequence of ours. */
export const randomService = (random: Seeded) => ({
  nextIntUnsafe: (): number => Math.floor((random.next() * 2 - 1) * Number.MAX_SAFE_INTEGER),
  nextDoubleUnsafe: random.next,
})
