/**
 * Takes what the store holds into the world at the start, before anything is desired, so that a reload begins from
 * disk without the network. What no longer belongs (another user's key, a node that is gone) is noted for collection.
 */
import { CompileError, compileInstance } from "../protocol/compile.ts"
import type { StoredInstance } from "../ports/LocalStore.ts"
import type { Instance } from "../protocol/Shape.ts"
import { type InstanceRecord, makeRecord, touch, type World } from "./World.ts"

const recompile = (world: World, stored: StoredInstance): Instance | null => {
  if (world.graph.nodes[stored.node] === undefined) return null
  try {
    const instance = compileInstance(world.graph, stored.node, stored.bindings, world.params)
    return instance.key === stored.key ? instance : null
  } catch (cause) {
    if (cause instanceof CompileError) return null
    throw cause
  }
}

const restoreOne = (world: World, stored: StoredInstance, now: number): void => {
  const instance = recompile(world, stored)
  const node = world.graph.nodes[stored.node]
  if (instance === null || node === undefined) {
    world.journal.add(now, stored.key, "collected", "this graph and user have no such instance")
    world.collects.add(stored.key)
    return
  }
  const record: InstanceRecord = makeRecord(world, instance, node, now)
  record.held = {
    hash: stored.hash,
    table: stored.table,
    checkpoint: stored.checkpoint,
    complete: stored.complete,
    rows: stored.rows,
    lastUpToDateAt: stored.lastUpToDateAt,
  }
  // Nothing demands it yet; what stays undemanded goes like anything else that lost its demand.
  if (node.sync === "always") record.revokeAt = now + world.config.revokeGraceMillis
  else record.keepUntil = now + node.keepForMillis
  world.records.set(record.key, record)
  touch(world, record)
}

export const restore = (world: World, stored: ReadonlyArray<StoredInstance>, now: number): void => {
  for (const instance of stored) restoreOne(world, instance, now)
}
