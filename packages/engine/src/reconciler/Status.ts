/**
 * Status out of records: per instance, per node and for the graph. Pure functions over the world; `Live` is shown only
 * for instances known to be current, so that a resumed instance does not claim what it has not checked (design §7).
 */
import type { InstanceState } from "../machine/InstanceState.ts"
import type {
  EngineStatus,
  InstanceStatus,
  NodeStatus,
  Rollup,
  StateName,
  StatusError,
} from "../protocol/InstanceStatus.ts"
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import { leasesOn } from "./Desired.ts"
import { offlineAfterFailures } from "./Recovery.ts"
import { type InstanceRecord, isDemanded, isFresh, type World } from "./World.ts"

const stateName = (record: InstanceRecord): StateName => {
  const state = record.state
  if (state === null) return "Draining"
  return state._tag === "Live" && !isFresh(record) ? "Syncing" : state._tag
}

const inner = (state: InstanceState | null): InstanceState | null =>
  state?._tag === "Paused" ? state.previous : state

const errorOf = (record: InstanceRecord): StatusError | null => {
  const state = inner(record.state)
  if (state?._tag !== "Backoff" && state?._tag !== "Halted") return null
  return { reason: state.error.reason._tag, message: state.error.reason.message }
}

const checkpointOf = (record: InstanceRecord): Checkpoint | null => {
  const state = inner(record.state)
  if (state?._tag === "Syncing" || state?._tag === "Live") return state.checkpoint
  return record.held?.checkpoint ?? null
}

/** Status of one instance; cached until the record changes. */
export const instanceStatus = (world: World, record: InstanceRecord): InstanceStatus => {
  if (record.statusCache !== null) return record.statusCache
  const state = inner(record.state)
  const checkpoint = checkpointOf(record)
  const status: InstanceStatus = {
    key: record.key,
    node: record.node.id,
    table: record.instance.table,
    bindings: record.instance.bindings,
    hash: record.instance.hash,
    state: stateName(record),
    since: record.since,
    attempt: record.state?.attempt ?? 0,
    nextAttemptAt: state?._tag === "Backoff" ? state.retryAt : null,
    error: errorOf(record),
    rows: record.held?.rows ?? 0,
    bytes: record.bytes,
    requests: record.requests,
    handle: checkpoint?.handle ?? null,
    offset: checkpoint?.offset ?? null,
    lastUpToDateAt: record.held?.lastUpToDateAt ?? null,
    slot: record.slot,
    leases: leasesOn(world, record),
    demandedBy: [...record.demandedBy],
    pauseReasons: world.pauses.reasons,
    desired: isDemanded(record),
  }
  record.statusCache = status
  return status
}

/** The engine cannot reach its source: the host says so, or requests do. */
export const isOffline = (world: World): boolean =>
  !world.hostOnline || world.pauses.has("offline") || world.networkFailures >= offlineAfterFailures

const blockedReasons: ReadonlySet<string> = new Set(["Unauthorised", "Forbidden"])

/** Worst news first; `live` only when every desired instance is current. */
const rollup = (world: World, desired: ReadonlyArray<InstanceRecord>): Rollup => {
  if (!world.ready) return "loading"
  if (desired.length === 0) return "idle"
  if (isOffline(world)) return "offline"
  let blocked = world.pauses.has("auth") || world.pauses.has("storage")
  let incomplete = false
  let current = true
  for (const record of desired) {
    const state = inner(record.state)
    if (state?._tag === "Halted") {
      if (!blockedReasons.has(state.error.reason._tag)) return "error"
      blocked = true
    }
    if (record.held?.complete !== true) incomplete = true
    if (!isFresh(record)) current = false
  }
  if (blocked) return "blocked"
  if (incomplete) return "loading"
  return current ? "live" : "stale"
}

const nodeStatus = (world: World, node: string, records: ReadonlyArray<InstanceRecord>): NodeStatus => {
  const desired = records.filter(isDemanded)
  return {
    node,
    table: world.graph.nodes[node]?.table ?? "",
    state: rollup(world, desired),
    instances: desired.length,
    live: desired.filter(isFresh).length,
    rows: desired.reduce((sum, record) => sum + (record.held?.rows ?? 0), 0),
    error: desired.map(errorOf).find((error) => error !== null) ?? null,
  }
}

/** The whole status. `previous` supplies the generation to count on from. */
export const engineStatus = (
  world: World,
  connections: EngineStatus["connections"],
  previous: EngineStatus | null,
): EngineStatus => {
  const byNode = new Map<string, Array<InstanceRecord>>(Object.keys(world.graph.nodes).map((id) => [id, []]))
  const instances: Record<string, InstanceStatus> = {}
  for (const record of world.records.values()) {
    byNode.get(record.node.id)?.push(record)
    instances[record.key] = instanceStatus(world, record)
  }
  return {
    graph: world.graph.name,
    state: rollup(world, [...world.records.values()].filter(isDemanded)),
    nodes: Object.fromEntries([...byNode].map(([id, records]) => [id, nodeStatus(world, id, records)])),
    instances,
    connections,
    pauseReasons: world.pauses.reasons,
    ready: world.ready,
    generation: (previous?.generation ?? 0) + 1,
  }
}
