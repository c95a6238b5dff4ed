/**
 * Counts leases by what they ask for, so that "is this instance leased?" and "what does this lease change?" cost the same
 * with one lease as with thousands. A lease counts on its own node and, as far as its bindings carry, on every owner above:
 * a lease on one company's folders asks for that company, not for all. Starts nothing; `Desired.ts` does.
 */
import type { GraphData } from "../graph/Graph.ts"
import { ownershipOf, pathTop } from "../graph/SyncGraph.ts"
import type { Lease } from "../protocol/Lease.ts"

type Bindings = Readonly<Record<string, string>>

/** Instances of one node, by bindings that may be partial. */
export interface Target {
  readonly node: string
  readonly bindings: Bindings
}

interface Count {
  /** Leases on the instance itself, and on something below it. */
  own: number
  below: number
}

/** Counts of one node for one set of binding names. */
interface Page {
  readonly names: ReadonlyArray<string>
  readonly counts: Map<string, Count>
}

const valuesOf = (names: ReadonlyArray<string>, bindings: Bindings): string =>
  JSON.stringify(names.map((name) => bindings[name]))

export class LeaseBook {
  readonly #graph: GraphData
  readonly #leases = new Set<Lease>()
  readonly #pages = new Map<string, Map<string, Page>>()

  constructor(graph: GraphData) {
    this.#graph = graph
  }

  get size(): number {
    return this.#leases.size
  }

  /** Counts a lease; returns what was not asked for before. The same object twice counts once. */
  add(lease: Lease): ReadonlyArray<Target> {
    if (this.#leases.has(lease)) return []
    this.#leases.add(lease)
    return this.#count(lease, 1)
  }

  /** Uncounts a lease; returns what is no longer asked for. */
  delete(lease: Lease): ReadonlyArray<Target> {
    return this.#leases.delete(lease) ? this.#count(lease, -1) : []
  }

  /** Whether any lease asks for this instance, itself or for something below it. */
  asks(node: string, bindings: Bindings): boolean {
    for (const { counts, names } of this.#pages.get(node)?.values() ?? [])
      if (counts.has(valuesOf(names, bindings))) return true
    return false
  }

  /** Leases on exactly this node that agree with the instance's bindings. */
  on(node: string, bindings: Bindings): number {
    let sum = 0
    for (const { counts, names } of this.#pages.get(node)?.values() ?? [])
      sum += counts.get(valuesOf(names, bindings))?.own ?? 0
    return sum
  }

  #count(lease: Lease, by: 1 | -1): ReadonlyArray<Target> {
    const changed: Array<Target> = []
    let own = true
    for (const target of targetsOf(this.#graph, lease)) {
      if (this.#countOne(target, own, by)) changed.push(target)
      own = false
    }
    return changed
  }

  /** Whether the target became asked for, or is not any more. */
  #countOne({ bindings, node }: Target, own: boolean, by: 1 | -1): boolean {
    const names = Object.keys(bindings).toSorted()
    const name = JSON.stringify(names)
    const pages = this.#pages.get(node) ?? new Map<string, Page>()
    const page = pages.get(name) ?? { names, counts: new Map<string, Count>() }
    const values = valuesOf(names, bindings)
    const count = page.counts.get(values) ?? { own: 0, below: 0 }
    const before = count.own + count.below
    count[own ? "own" : "below"] += by
    const after = count.own + count.below
    if (after > 0) page.counts.set(values, count)
    else page.counts.delete(values)
    if (page.counts.size > 0) this.#pages.set(node, pages.set(name, page))
    else pages.delete(name)
    return (before === 0) !== (after === 0)
  }
}

/** The lease's own instances, then those of each owner above, nearest first. */
const targetsOf = (graph: GraphData, lease: Lease): ReadonlyArray<Target> => {
  const targets: Array<Target> = []
  let target: Target | null = { node: lease.node, bindings: { ...lease.bindings } }
  while (target !== null) {
    targets.push(target)
    target = ownerTarget(graph, target)
  }
  return targets
}

/**
 * The owner's instances whose rows can bind these. An owner's column that is itself one of the owner's bindings has the
 * binding's value in all its rows, so the value carries over; any other column says nothing.
 */
const ownerTarget = (graph: GraphData, { bindings, node }: Target): Target | null => {
  const { bindings: bound, owner } = ownershipOf(graph, node)
  if (owner === null) return null
  const ownTop = pathTop(graph, owner)
  const fixed = ownTop?.id === owner ? new Set(Object.keys(ownTop.on)) : new Set<string>()
  const carried: Record<string, string> = {}
  for (const { binding, column } of bound) {
    const value = bindings[binding]
    if (value !== undefined && fixed.has(column)) carried[column] = value
  }
  return { node: owner, bindings: carried }
}
