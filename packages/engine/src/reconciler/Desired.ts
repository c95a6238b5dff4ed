/**
 * Desired state: which instances the graph, the parameters, the owners' rows and the leases demand. Changes only
 * `demandedBy` / `rootDemand` and reports which records it touched; starting and stopping is the reconciler's. Cost is
 * proportional to what changed: one row of an owner touches that row's children, whatever else the owner holds.
 */
import type { OwnerRow } from "../ports/LocalStore.ts"
import { CompileError, compileInstance } from "../protocol/compile.ts"
import type { Instance, InstanceKey } from "../protocol/Shape.ts"
import type { Link, LinkedNode } from "./links.ts"
import {
  type Demand,
  type DemandedTuple,
  type InstanceRecord,
  makeRecord,
  touch,
  type World,
} from "./World.ts"

/** Records whose demand may have changed; what that means is left to the plan. */
export type DemandChange = Set<InstanceRecord>

export const noChange = (): DemandChange => new Set()

/** `always` nodes are demanded by their owners' rows alone; `onDemand` nodes need a lease on them or on something below. */
export const wanted = (world: World, node: string, bindings: Readonly<Record<string, string>>): boolean =>
  world.graph.nodes[node]?.sync === "always" || world.leases.asks(node, bindings)

/** The instance, or null with a line in the journal when it does not compile. */
export const compile = (
  world: World,
  node: string,
  bindings: Readonly<Record<string, string>>,
  now: number,
): Instance | null => {
  try {
    return compileInstance(world.graph, node, bindings, world.params)
  } catch (cause) {
    if (!(cause instanceof CompileError)) throw cause
    world.journal.add(now, null, "not-compiled", cause.message)
    return null
  }
}

/** The record of an instance, made when it is new. A changed definition is left to the plan to notice. */
const recordOf = (world: World, instance: Instance, now: number): InstanceRecord => {
  const existing = world.records.get(instance.key)
  if (existing !== undefined) {
    existing.instance = instance
    return existing
  }
  const node = world.graph.nodes[instance.node]
  if (node === undefined) throw new Error(`compiled instance of unknown node ${instance.node}`)
  const record = makeRecord(world, instance, node, now)
  world.records.set(instance.key, record)
  return record
}

/** Demands the roots: nodes without an owner, one instance each. */
export const demandRoots = (world: World, now: number, change: DemandChange): void => {
  for (const [node, { owner }] of world.ownership) if (owner === null) demandRoot(world, node, now, change)
}

/** Demands one root if it is wanted; withdraws it otherwise. */
export const demandRoot = (world: World, node: string, now: number, change: DemandChange): void => {
  const former = world.roots.get(node)
  const instance = wanted(world, node, {}) ? compile(world, node, {}, now) : null
  if (former !== undefined && former !== instance?.key) {
    world.roots.delete(node)
    // Under other parameters its rows may be shared with what comes; without a lease nobody comes.
    if (instance !== null) world.retiring.push({ owner: null, key: former })
    else withdrawRoot(world, former, change)
  }
  if (instance === null) return
  const record = recordOf(world, instance, now)
  world.roots.set(node, record.key)
  record.rootDemand = true
  touch(world, record)
  change.add(record)
}

/** A root's former instance is no longer its instance; one that is again stays. */
export const withdrawRoot = (world: World, key: InstanceKey, change: DemandChange): void => {
  const record = world.records.get(key)
  if (record === undefined || world.roots.get(record.node.id) === key) return
  record.rootDemand = false
  touch(world, record)
  change.add(record)
}

/** The bindings a tuple gives a node. */
export const bindingsOf = (node: LinkedNode, tuple: string): Readonly<Record<string, string>> => {
  const values = JSON.parse(tuple) as ReadonlyArray<string>
  return Object.fromEntries(node.bindings.map((binding, index) => [binding, values[index] ?? ""]))
}

/** Demands the instance a tuple binds, or null when it is not wanted. */
export const demandOne = (
  world: World,
  owner: InstanceRecord,
  node: LinkedNode,
  tuple: string,
  now: number,
  change: DemandChange,
): InstanceKey | null => {
  const bindings = bindingsOf(node, tuple)
  if (!wanted(world, node.id, bindings)) return null
  const instance = compile(world, node.id, bindings, now)
  if (instance === null) return null
  const record = recordOf(world, instance, now)
  record.demandedBy.set(owner.key, (record.demandedBy.get(owner.key) ?? 0) + 1)
  touch(world, record)
  change.add(record)
  return record.key
}

/** One tuple of an owner no longer demands an instance. */
export const withdraw = (
  world: World,
  owner: InstanceKey,
  key: InstanceKey | null,
  change: DemandChange,
): void => {
  const record = key === null ? undefined : world.records.get(key)
  const tuples = record?.demandedBy.get(owner)
  if (record === undefined || tuples === undefined) return
  if (tuples > 1) record.demandedBy.set(owner, tuples - 1)
  else record.demandedBy.delete(owner)
  touch(world, record)
  change.add(record)
}

/** What an owner's rows of one link are now. `whole`: rows that are not among them are gone. */
export interface LinkRows {
  readonly link: number
  readonly rows: ReadonlyArray<OwnerRow>
  readonly whole: boolean
}

/** Takes in rows of one owner. */
export const takeRows = (
  world: World,
  owner: InstanceRecord,
  { link: index, rows, whole }: LinkRows,
  now: number,
  change: DemandChange,
): void => {
  const link = world.links.get(owner.node.id)?.[index]
  const demand = demandOf(world, owner, index)
  if (link === undefined || demand === undefined) return
  const looked = new Set<string>()
  const seen = whole ? new Set<string>() : null
  for (const row of rows) {
    const key = JSON.stringify(row.key)
    seen?.add(key)
    moveRow(demand, key, row.values === null ? null : JSON.stringify(row.values), looked)
  }
  if (seen !== null && demand.rows.size > seen.size)
    for (const key of [...demand.rows.keys()]) if (!seen.has(key)) moveRow(demand, key, null, looked)
  for (const tuple of looked) settleTuple(world, owner, link, demand, tuple, now, change)
}

const demandOf = (world: World, owner: InstanceRecord, index: number): Demand | undefined => {
  if (owner.demands.length === 0)
    owner.demands = (world.links.get(owner.node.id) ?? []).map(() => ({ rows: new Map(), tuples: new Map() }))
  return owner.demands[index]
}

/** A row holds another tuple than before, or none; notes the tuples concerned. */
const moveRow = (demand: Demand, key: string, tuple: string | null, looked: Set<string>): void => {
  const before = demand.rows.get(key) ?? null
  if (before === tuple) return
  if (before !== null) {
    const former = demand.tuples.get(before)
    if (former !== undefined) former.rows--
    looked.add(before)
  }
  if (tuple === null) {
    demand.rows.delete(key)
    return
  }
  demand.rows.set(key, tuple)
  const known = demand.tuples.get(tuple)
  if (known === undefined) demand.tuples.set(tuple, { rows: 1, keys: [] })
  else known.rows++
  looked.add(tuple)
}

/** Demands what a new tuple binds; withdraws what a tuple without rows did. */
const settleTuple = (
  world: World,
  owner: InstanceRecord,
  link: Link,
  demand: Demand,
  tuple: string,
  now: number,
  change: DemandChange,
): void => {
  const held = demand.tuples.get(tuple)
  if (held === undefined) return
  if (held.rows === 0) {
    demand.tuples.delete(tuple)
    dropTuple(world, owner, link, tuple, held, change)
  } else if (held.keys.length === 0) {
    for (const node of link.nodes) {
      offer(world, owner, node, tuple)
      held.keys.push(demandOne(world, owner, node, tuple, now, change))
    }
  }
}

const dropTuple = (
  world: World,
  owner: InstanceRecord,
  link: Link,
  tuple: string,
  held: DemandedTuple,
  change: DemandChange,
): void => {
  for (const [index, node] of link.nodes.entries()) {
    unoffer(world, owner, node, tuple)
    withdraw(world, owner.key, held.keys[index] ?? null, change)
  }
}

const offer = (world: World, owner: InstanceRecord, node: LinkedNode, tuple: string): void => {
  const offers = world.offers.get(node.id)
  const owners = offers?.get(tuple)
  if (owners !== undefined) owners.add(owner.key)
  else offers?.set(tuple, new Set([owner.key]))
}

const unoffer = (world: World, owner: InstanceRecord, node: LinkedNode, tuple: string): void => {
  const offers = world.offers.get(node.id)
  const owners = offers?.get(tuple)
  if (owners?.delete(owner.key) === true && owners.size === 0) offers?.delete(tuple)
}

/** An owner is no longer desired: everything its rows demanded loses that demand. */
export const withdrawAll = (world: World, owner: InstanceRecord, change: DemandChange): void => {
  const links = world.links.get(owner.node.id) ?? []
  for (const [index, { tuples }] of owner.demands.entries()) {
    const link = links[index]
    if (link === undefined) continue
    for (const [tuple, held] of tuples) dropTuple(world, owner, link, tuple, held, change)
  }
  owner.demands = []
}

/** Parameters of a node changed: compiles anew what its owners' rows demand; former instances are left to retire. */
export const redemand = (
  world: World,
  ownerNode: string,
  node: string,
  now: number,
  change: DemandChange,
): void => {
  for (const [index, link] of (world.links.get(ownerNode) ?? []).entries()) {
    const at = link.nodes.findIndex(({ id }) => id === node)
    const linked = link.nodes[at]
    if (linked === undefined) continue
    for (const owner of world.records.values()) {
      if (owner.node.id !== ownerNode) continue
      for (const [tuple, held] of owner.demands[index]?.tuples ?? []) {
        const former = held.keys[at] ?? null
        held.keys[at] = demandOne(world, owner, linked, tuple, now, change)
        // Also under the same key: the tuple was counted twice, and the former count goes when the new demand is read.
        if (former !== null) world.retiring.push({ owner: owner.key, key: former })
      }
    }
  }
}
