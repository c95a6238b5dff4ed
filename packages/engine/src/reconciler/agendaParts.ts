/**
 * The containers the agenda is made of: a heap, timers, and one tally per node. Data structures only; what they mean and when
 * they change is in `Agenda.ts`. Generic over the record, so that the world can hold an agenda without a circle of imports.
 */

/** A binary heap; the element that comes first by `before` is on top. */
export class Heap<Item> {
  readonly #items: Array<Item> = []
  readonly #before: (left: Item, right: Item) => boolean

  constructor(before: (left: Item, right: Item) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  get top(): Item | undefined {
    return this.#items[0]
  }

  push(item: Item): void {
    const items = this.#items
    let at = items.length
    items.push(item)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = items[above]
      if (parent === undefined || !this.#before(item, parent)) break
      items[at] = parent
      at = above
    }
    items[at] = item
  }

  pop(): Item | undefined {
    const items = this.#items
    const [top] = items
    const last = items.pop()
    if (last === undefined || items.length === 0) return top
    let at = 0
    for (;;) {
      const below = this.#smaller(2 * at + 1)
      const child = items[below]
      if (child === undefined || !this.#before(child, last)) break
      items[at] = child
      at = below
    }
    items[at] = last
    return top
  }

  clear(): void {
    this.#items.length = 0
  }

  #smaller(left: number): number {
    const first = this.#items[left]
    const second = this.#items[left + 1]
    return first !== undefined && second !== undefined && this.#before(second, first) ? left + 1 : left
  }
}

/** An entry that counts only while its record points back at it; stale ones are dropped when they reach the top. */
export interface Entry<Item> {
  readonly record: Item
  /** Timers: epoch milliseconds. Queues: desired since. */
  readonly at: number
  /** Queues: served before others. */
  readonly preferred: boolean
}

/** Where one record stands. */
export interface Place<Item> {
  /** What it counts as in its node's tally. */
  bits: number
  rows: number
  timer: Entry<Item> | null
  queued: Entry<Item> | null
}

/** Sums over the desired instances of one node. */
export interface Tally<Item> {
  readonly desired: Set<Item>
  fresh: number
  incomplete: number
  blocked: number
  failed: number
  rows: number
  /** Those with an error to show. */
  readonly troubled: Set<Item>
}

export const makeTally = <Item>(): Tally<Item> => ({
  desired: new Set(),
  fresh: 0,
  incomplete: 0,
  blocked: 0,
  failed: 0,
  rows: 0,
  troubled: new Set(),
})

export interface Agenda<Item> {
  /** Changed since they were last placed. */
  readonly touched: Set<Item>
  /** With a batch to judge. */
  readonly arrived: Set<Item>
  /** With a batch that waits for ancestors, or for a revocation that goes first. */
  readonly parked: Set<Item>
  /** Due to start, ancestors current. */
  readonly wanting: Set<Item>
  /** Pending with a checkpoint, and pending without one, ancestors current; in order of admission. */
  readonly resuming: Heap<Entry<Item>>
  readonly first: Heap<Entry<Item>>
  /** What has a time to happen at. */
  readonly timers: Heap<Entry<Item>>
  /** Their binding is gone; rows go after the grace. */
  readonly leaving: Set<Item>
  /** First snapshots and refetches under way. */
  readonly snapshots: Set<Item>
  /** Halted because access was denied. */
  readonly denied: Set<Item>
  readonly tallies: Map<string, Tally<Item>>
}

export const makeAgenda = <Item>(
  comesFirst: (left: Entry<Item>, right: Entry<Item>) => boolean,
): Agenda<Item> => ({
  touched: new Set(),
  arrived: new Set(),
  parked: new Set(),
  wanting: new Set(),
  resuming: new Heap(comesFirst),
  first: new Heap(comesFirst),
  timers: new Heap((left, right) => left.at < right.at),
  leaving: new Set(),
  snapshots: new Set(),
  denied: new Set(),
  tallies: new Map(),
})
