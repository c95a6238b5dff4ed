/**
 * Reads from the store what owners' rows demand, and takes it in: after a commit only the rows it touched, after a start all of them.
 * The reconciler's pass calls it before and after commits.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Store } from "./Commits.ts"
import { type DemandChange, keysOfTuple, noChange, noteBelow, takeRows } from "./Desired.ts"
import { reopenDenied } from "./Recovery.ts"
import { takeIn } from "./Steps.ts"
import type { Link } from "./links.ts"
import { type InstanceRecord, isActual, type World } from "./World.ts"

/** Reads again what the rows of changed owners demand, level by level. Returns whether anything was read. */
export const refreshDemand = Effect.fnUntraced(function* (world: World, store: Store) {
  let read = false
  while (world.dirtyOwners.size > 0) {
    read = true
    const marked = [...world.dirtyOwners]
    const change = noChange()
    const whole: Array<InstanceRecord> = []
    for (const [key, rows] of marked) {
      const owner = world.records.get(key)
      if (owner === undefined || !isActual(owner)) continue
      if (rows === "all") whole.push(owner)
      else yield* readRows(world, store, owner, [...rows.values()], change)
    }
    yield* readOwners(world, store, whole, change)
    const now = yield* Clock.currentTimeMillis
    for (const [key] of marked) {
      const owner = world.records.get(key)
      if (owner !== undefined && isActual(owner)) reopenDenied(world, owner, now)
      // Only now: had the store failed, the next pass must read them again.
      world.dirtyOwners.delete(key)
    }
    takeIn(world, change, "revoked", now)
  }
  return read
})

/** The named rows of one owner. */
const readRows = Effect.fnUntraced(function* (
  world: World,
  store: Store,
  owner: InstanceRecord,
  keys: ReadonlyArray<ReadonlyArray<string>>,
  change: DemandChange,
) {
  for (const [link, { columns }] of (world.links.get(owner.node.id) ?? []).entries()) {
    const rows = yield* store.ownerRowsAt(owner.key, columns, keys)
    takeRows(world, owner, { link, rows, whole: false }, yield* Clock.currentTimeMillis, change)
  }
})

/** All rows of these owners, one question per node and link. */
const readOwners = Effect.fnUntraced(function* (
  world: World,
  store: Store,
  owners: ReadonlyArray<InstanceRecord>,
  change: DemandChange,
) {
  const now = yield* Clock.currentTimeMillis
  for (const [node, records] of Map.groupBy(owners, (record) => record.node.id))
    for (const [link, { columns }] of (world.links.get(node) ?? []).entries()) {
      const found = yield* store.ownerRows(
        records.map((record) => record.key),
        columns,
      )
      const byOwner = new Map(found.map(({ owner, rows }) => [owner, rows]))
      for (const record of records)
        takeRows(world, record, { link, rows: byOwner.get(record.key) ?? [], whole: true }, now, change)
    }
})

/**
 * Notes what is stored, demanded by nothing, and stands below an instance, desired or not, so that all of it goes in one collection when
 * that goes (I13).
 */
export const linkBelow = Effect.fnUntraced(function* (world: World, store: Store) {
  const retained = new Set([...world.records.values()].filter(({ state }) => state === null))
  const nodes = new Set([...retained].map(({ node }) => node.id))
  const linked = (node: string): ReadonlyArray<Link> =>
    (world.links.get(node) ?? []).filter((link) => link.nodes.some(({ id }) => nodes.has(id)))
  for (const [node, owners] of Map.groupBy(world.records.values(), (record) => record.node.id))
    for (const link of linked(node)) {
      const found = yield* store.ownerRows(
        owners.map(({ key }) => key),
        link.columns,
      )
      for (const { owner, rows } of found) {
        const record = world.records.get(owner)
        if (record === undefined) continue
        for (const { values } of rows)
          if (values !== null)
            for (const key of keysOfTuple(world, link, JSON.stringify(values))) {
              const below = world.records.get(key)
              const isKept = below !== undefined && retained.has(below)
              if (isKept || retained.has(record)) noteBelow(world, record, key)
            }
      }
    }
})
