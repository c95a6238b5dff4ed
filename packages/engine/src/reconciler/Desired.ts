/**
 * Desired state: which instances the graph, the parameters, the owners' rows and the leases demand. Changes
 * only `demandedBy` / `rootDemand` and reports which records it touched; starting and stopping is the reconciler's. Cost is
 * proportional to what changed: one owner's values touch that owner's children only.
 */
import { CompileError, compileInstance } from "../protocol/compile.ts"
import type { Instance, InstanceKey } from "../protocol/Shape.ts"
import type { Lease } from "../protocol/Lease.ts"
import { type Demand, type InstanceRecord, makeRecord, touch, type World } from "./World.ts"

/** Records whose demand may have changed; what that means is left to the plan. */
export type DemandChange = Set<InstanceRecord>

export const noChange = (): DemandChange => new Set()

/** Owners above a node, nearest first. */
const ownersAbove = (world: World, node: string): ReadonlyArray<string> => {
  const owners: Array<string> = []
  for (let owner = world.ownership.get(node)?.owner ?? null; owner !== null;) {
    owners.push(owner)
    owner = world.ownership.get(owner)?.owner ?? null
  }
  return owners
}

const matches = (lease: Lease, bindings: Readonly<Record<string, string>>): boolean =>
  Object.entries(lease.bindings ?? {}).every(([name, value]) => bindings[name] === value)

/** Leases that name exactly this instance's node and agree with its bindings. */
export const leasesOn = (world: World, record: InstanceRecord): number => {
  let count = 0
  for (const lease of world.leases)
    if (lease.node === record.node.id && matches(lease, record.instance.bindings)) count++
  return count
}

/** `always` nodes are demanded by their owners' rows alone; `onDemand` nodes need a lease on them or on something below. */
const wanted = (world: World, node: string, bindings: Readonly<Record<string, string>>): boolean => {
  if (world.graph.nodes[node]?.sync === "always") return true
  for (const lease of world.leases) {
    if (lease.node === node && matches(lease, bindings)) return true
    if (ownersAbove(world, lease.node).includes(node)) return true
  }
  return false
}

const compile = (
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

/** The record of an instance, made when it is new. A changed definition is left to the caller to notice. */
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
  for (const [node, owner] of world.ownership) {
    if (owner.owner !== null) continue
    const instance = compile(world, node, {}, now)
    if (instance === null) continue
    const want = wanted(world, node, {})
    const known = world.records.get(instance.key)
    if (!want && known?.rootDemand !== true) continue
    const record = recordOf(world, instance, now)
    if (record.rootDemand === want) continue
    record.rootDemand = want
    touch(world, record)
    change.add(record)
  }
}

const bindingsOf = (world: World, node: string, tuple: ReadonlyArray<string>) =>
  Object.fromEntries(
    (world.ownership.get(node)?.bindings ?? []).map(({ binding }, index) => [binding, tuple[index] ?? ""]),
  )

/** The key of the instance a value tuple of an owner's rows stands for; null when there can be none. */
export const keyOfChild = (world: World, node: string, tuple: ReadonlyArray<string>): InstanceKey | null => {
  try {
    return compileInstance(world.graph, node, bindingsOf(world, node, tuple), world.params).key
  } catch (cause) {
    if (cause instanceof CompileError) return null
    throw cause
  }
}

/** Takes in the value tuples one owner's rows hold for one owned node. */
export const demandChildren = (
  world: World,
  owner: InstanceRecord,
  node: string,
  tuples: ReadonlyArray<ReadonlyArray<string>>,
  now: number,
  change: DemandChange,
): void => {
  const keys = new Set<InstanceKey>()
  const before: Demand = owner.demands.get(node) ?? { tuples: [], keys: new Set() }
  for (const tuple of tuples) {
    const values = bindingsOf(world, node, tuple)
    if (!wanted(world, node, values)) continue
    const instance = compile(world, node, values, now)
    if (instance === null) continue
    keys.add(instance.key)
    if (before.keys.has(instance.key)) continue
    const record = recordOf(world, instance, now)
    record.demandedBy.add(owner.key)
    touch(world, record)
    change.add(record)
  }
  for (const key of before.keys) if (!keys.has(key)) withdraw(world, owner.key, key, change)
  owner.demands.set(node, { tuples, keys })
}

const withdraw = (world: World, owner: InstanceKey, key: InstanceKey, change: DemandChange): void => {
  const record = world.records.get(key)
  if (record === undefined || !record.demandedBy.delete(owner)) return
  // Kept or not, it goes when its owner goes.
  world.records.get(owner)?.below.add(key)
  touch(world, record)
  change.add(record)
}

/** An owner is no longer desired: everything its rows demanded loses that demand. */
export const withdrawAll = (world: World, owner: InstanceRecord, change: DemandChange): void => {
  for (const { keys } of owner.demands.values())
    for (const key of keys) withdraw(world, owner.key, key, change)
  owner.demands.clear()
}

/** A lease came or went: looks again at the nodes whose demand it can change, from the values already known. */
export const demandLeased = (world: World, lease: Lease, now: number, change: DemandChange): void => {
  demandRoots(world, now, change)
  const affected = new Set([lease.node, ...ownersAbove(world, lease.node)])
  for (const node of affected) {
    const owner = world.ownership.get(node)?.owner ?? null
    if (owner === null) continue
    for (const record of world.records.values()) {
      if (record.node.id !== owner) continue
      const demand = record.demands.get(node)
      if (demand !== undefined) demandChildren(world, record, node, demand.tuples, now, change)
    }
  }
  for (const record of world.records.values()) if (record.node.id === lease.node) touch(world, record)
}
