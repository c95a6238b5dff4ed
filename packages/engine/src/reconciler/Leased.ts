/**
 * What a lease that came or went changes: the roots and tuples it names, found without visiting the others. Changes demand as
 * `Desired.ts` does, from values already known; reads nothing from the store.
 */
import type { Lease } from "../protocol/Lease.ts"
import type { InstanceKey } from "../protocol/Shape.ts"
import { tallyOf } from "./Agenda.ts"
import { bindingsOf, compile, type DemandChange, demandOne, demandRoot, wanted, withdraw } from "./Desired.ts"
import type { Target } from "./LeaseBook.ts"
import { touch, type World } from "./World.ts"

/** What is asked for changed: looks again at the roots and tuples concerned, from the values already known. */
export const demandLeased = (
  world: World,
  targets: ReadonlyArray<Target>,
  now: number,
  change: DemandChange,
): void => {
  for (const target of targets) {
    if (world.ownership.get(target.node)?.owner === null) demandRoot(world, target.node, now, change)
    else
      for (const [tuple, owners] of offered(world, target))
        for (const key of owners) reconsider(world, key, target.node, tuple, now, change)
  }
}

/** The tuples that agree with a target, and the owners that hold them. Fully bound ones are looked up. */
const offered = (
  world: World,
  { bindings, node }: Target,
): ReadonlyArray<readonly [tuple: string, owners: ReadonlySet<InstanceKey>]> => {
  const offers = world.offers.get(node)
  const names = (world.ownership.get(node)?.bindings ?? []).map(({ binding }) => binding)
  if (offers === undefined) return []
  if (names.every((name) => bindings[name] !== undefined)) {
    const tuple = JSON.stringify(names.map((name) => bindings[name]))
    const owners = offers.get(tuple)
    return owners === undefined ? [] : [[tuple, owners]]
  }
  const agrees = (tuple: string): boolean => {
    const values = JSON.parse(tuple) as ReadonlyArray<string>
    return names.every((name, index) => bindings[name] === undefined || bindings[name] === values[index])
  }
  return [...offers].filter(([tuple]) => agrees(tuple))
}

const reconsider = (
  world: World,
  key: InstanceKey,
  node: string,
  tuple: string,
  now: number,
  change: DemandChange,
): void => {
  const owner = world.records.get(key)
  if (owner === undefined) return
  for (const [index, link] of (world.links.get(owner.node.id) ?? []).entries()) {
    const at = link.nodes.findIndex(({ id }) => id === node)
    const linked = link.nodes[at]
    const held = owner.demands[index]?.tuples.get(tuple)
    if (linked === undefined || held === undefined) continue
    const had = held.keys[at] ?? null
    if (!wanted(world, node, bindingsOf(linked, tuple))) {
      held.keys[at] = null
      withdraw(world, owner.key, had, change)
    } else if (had === null) held.keys[at] = demandOne(world, owner, linked, tuple, now, change)
  }
}

/** Marks the instances a lease names: leased ones go first, and their status counts leases. */
export const touchLeased = (world: World, lease: Lease, now: number): void => {
  const bindings = Object.entries(lease.bindings ?? {})
  const names = world.ownership.get(lease.node)?.bindings ?? []
  if (bindings.length > 0 && bindings.length === names.length) {
    const key = compile(world, lease.node, Object.fromEntries(bindings), now)?.key
    const record = key === undefined ? undefined : world.records.get(key)
    if (record !== undefined) touch(world, record)
    return
  }
  for (const record of tallyOf(world, lease.node).desired)
    if (bindings.every(([name, value]) => record.instance.bindings[name] === value)) touch(world, record)
}
