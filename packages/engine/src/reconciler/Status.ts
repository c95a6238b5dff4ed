/**
 * Status out of records: per instance, per node and for the graph. Pure functions over the world; `Live` is shown only
 * for instances known to be current, so that a resumed instance does not claim what it has not checked (design §7).
 */
import type {
  EngineStatus,
  InstanceStatus,
  NodeStatus,
  Progress,
  Rollup,
  StateName,
  StatusError,
} from "../protocol/InstanceStatus.ts"
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import { inner, refresh, tallyOf } from "./Agenda.ts"
import type { Tally } from "./agendaParts.ts"
import { offlineAfterFailures } from "./Recovery.ts"
import { type InstanceRecord, isDemanded, isFresh, leasesOn, type World } from "./World.ts"

const stateName = (record: InstanceRecord): StateName => {
  const state = record.state
  if (state === null) return "Draining"
  return state._tag === "Live" && !isFresh(record) ? "Syncing" : state._tag
}

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
    demandedBy: [...record.demandedBy.keys()],
    pauseReasons: world.pauses.reasons,
    desired: isDemanded(record),
  }
  record.statusCache = status
  return status
}

/** The engine cannot reach its source: the host says so, or requests do. */
export const isOffline = (world: World): boolean =>
  !world.hostOnline || world.pauses.has("offline") || world.networkFailures >= offlineAfterFailures

/** The desired instances of one or several nodes, summed. */
type Sums = Pick<Tally<InstanceRecord>, "fresh" | "incomplete" | "blocked" | "failed"> & {
  readonly desired: number
}

/** Worst news first; `live` only when every desired instance is current. */
const rollup = (world: World, { blocked, desired, failed, fresh, incomplete }: Sums): Rollup => {
  if (!world.ready) return "loading"
  if (desired === 0) return "idle"
  if (isOffline(world)) return "offline"
  if (failed > 0) return "error"
  if (blocked > 0 || world.pauses.has("auth") || world.pauses.has("storage")) return "blocked"
  if (incomplete > 0) return "loading"
  return fresh === desired ? "live" : "stale"
}

const nodeStatus = (world: World, node: string): NodeStatus => {
  const tally = tallyOf(world, node)
  const [troubled] = tally.troubled
  return {
    node,
    table: world.graph.nodes[node]?.table ?? "",
    state: rollup(world, { ...tally, desired: tally.desired.size }),
    instances: tally.desired.size,
    complete: tally.desired.size - tally.incomplete,
    live: tally.fresh,
    rows: tally.rows,
    error: troubled === undefined ? null : errorOf(troubled),
  }
}

const graphRollup = (world: World): Rollup => {
  const sums = { desired: 0, fresh: 0, incomplete: 0, blocked: 0, failed: 0 }
  for (const tally of world.agenda.tallies.values()) {
    sums.desired += tally.desired.size
    sums.fresh += tally.fresh
    sums.incomplete += tally.incomplete
    sums.blocked += tally.blocked
    sums.failed += tally.failed
  }
  return rollup(world, sums)
}

/** What is held in all, and what was received for it. */
const progressOf = (world: World, nodes: ReadonlyArray<NodeStatus>): Progress => {
  const sum = (of: (node: NodeStatus) => number): number => nodes.reduce((total, node) => total + of(node), 0)
  return {
    instances: sum((node) => node.instances),
    complete: sum((node) => node.complete),
    live: sum((node) => node.live),
    rows: sum((node) => node.rows),
    bytes: world.bytes,
    requests: world.requests,
  }
}

/** The whole status as of now. Costs as much as there are instances, so it is made only when somebody looks. */
export const engineStatus = (world: World, connections: EngineStatus["connections"]): EngineStatus => {
  refresh(world)
  const instances: Record<string, InstanceStatus> = {}
  for (const record of world.records.values()) instances[record.key] = instanceStatus(world, record)
  const nodes = Object.keys(world.graph.nodes).map((node) => nodeStatus(world, node))
  return {
    graph: world.graph.name,
    state: graphRollup(world),
    nodes: Object.fromEntries(nodes.map((status) => [status.node, status])),
    progress: progressOf(world, nodes),
    instances,
    connections,
    pauseReasons: world.pauses.reasons,
    ready: world.ready,
    generation: ++world.generation,
  }
}
