/**
 * Owners whose rows must be read again, and how much of them; and forgetting all of it. Notes on the world, nothing more:
 * `Commits.ts` reads the rows.
 */
import type { InstanceRecord, World } from "./World.ts"

/** More changed rows of one owner than this are read again with all others, in one statement. */
export const maxReadRows = 1_000

/** Marks an owner's rows as changed: these, by primary key, or all of them. */
export const markOwner = (
  world: World,
  owner: InstanceRecord,
  rows: ReadonlyArray<ReadonlyArray<string>> | "all",
): void => {
  if ((world.links.get(owner.node.id) ?? []).length === 0) return
  const marked = world.dirtyOwners.get(owner.key)
  if (rows === "all" || marked === "all" || owner.demands.length === 0) {
    world.dirtyOwners.set(owner.key, "all")
    return
  }
  const keys = marked ?? new Map<string, ReadonlyArray<string>>()
  for (const key of rows) keys.set(JSON.stringify(key), key)
  world.dirtyOwners.set(owner.key, keys.size > maxReadRows ? "all" : keys)
}

/** Forgets every instance and every note about one; leases, pauses and the journal stay. */
export const clearWorld = (world: World): void => {
  const { agenda } = world
  for (const list of [world.records, world.dirtyOwners, world.roots, agenda.tallies]) list.clear()
  for (const list of [agenda.touched, agenda.arrived, agenda.parked, agenda.wanting]) list.clear()
  for (const list of [agenda.leaving, agenda.snapshots, agenda.denied, world.stops]) list.clear()
  for (const list of [agenda.resuming, agenda.first, agenda.timers]) list.clear()
  for (const list of [world.collects, world.discards]) list.clear()
  for (const list of [world.unranked, world.dropped]) list.clear()
  for (const offers of world.offers.values()) offers.clear()
  world.retiring.length = 0
}
