/**
 * What the reconciler knows: one record per instance, desired or merely held. Mutable, owned by the reconciler's single
 * fiber; nothing else may touch it. Exists apart from the loop so that desired state, admission and status can be
 * written as small functions over it.
 */
import type * as Deferred from "effect/Deferred"
import type { GraphData } from "../graph/Graph.ts"
import type { NodeDef } from "../graph/Node.ts"
import { type InstanceState, isActive } from "../machine/InstanceState.ts"
import type { EngineConfigShape } from "../ports/EngineConfig.ts"
import type { Batch } from "../ports/ShapeSource.ts"
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import { ownedBy, type Ownership, ownership } from "../protocol/compile.ts"
import type { InstanceStatus } from "../protocol/InstanceStatus.ts"
import type { Message } from "../protocol/Message.ts"
import type { Instance, InstanceKey } from "../protocol/Shape.ts"
import type { Lease } from "../protocol/Lease.ts"
import { Journal } from "./Journal.ts"
import { PauseLock } from "./PauseLock.ts"

/** What the store holds of an instance. */
export interface Held {
  readonly hash: string
  readonly table: string
  readonly checkpoint: Checkpoint | null
  readonly complete: boolean
  readonly rows: number
  readonly lastUpToDateAt: number | null
}

/** A batch on its way into the store, with the acknowledgement its source waits for. */
export interface Arrived {
  readonly batch: Batch
  readonly ack: Deferred.Deferred<void>
}

export interface InstanceRecord {
  instance: Instance
  readonly key: InstanceKey
  readonly node: NodeDef
  /** Edges from the root: parents start before children. */
  readonly depth: number
  /** Null: not desired (only held, or about to be forgotten). */
  state: InstanceState | null
  /** Hash of the definition its state is about; differs from the instance's while a change is not carried out yet. */
  hash: string
  since: number
  desiredSince: number
  held: Held | null
  /** When its rows changed last, epoch milliseconds: what they grant may not have reached the gateway yet. */
  rowsChangedAt: number
  /** A commit was tried in this session: the store may hold it although its answer said that it failed. */
  tried: boolean
  /** When the store last learnt of an up-to-date, epoch milliseconds; see `idleCommitMillis`. */
  storedUpToDateAt: number
  /** Owner instances whose rows demand this one. */
  readonly demandedBy: Set<InstanceKey>
  /** Demanded by being a root, not by rows. */
  rootDemand: boolean
  /** By owned node: the value tuples its rows hold, and the instances they demand. */
  readonly demands: Map<string, Demand>
  /** Instances its rows demanded, or would: they go with it, kept or not, unless they are demanded otherwise. */
  readonly below: Set<InstanceKey>
  /** Number of the current run, unique over all records; inputs of earlier runs are ignored. */
  run: number
  /** The machine asked for a start that waits for fresh ancestors. */
  wantsStart: boolean
  /** An up-to-date was committed since its current run began, so it is known to be current. */
  fresh: boolean
  /** Log received without its up-to-date yet. */
  buffer: Array<Message>
  arrived: Arrived | null
  /** When the rows go because the binding is gone; null when demanded. */
  revokeAt: number | null
  /** When the rows go because nobody asks any more; null when demanded. */
  keepUntil: number | null
  bytes: number
  requests: number
  slot: boolean
  statusCache: InstanceStatus | null
}

export interface Demand {
  tuples: ReadonlyArray<ReadonlyArray<string>>
  keys: ReadonlySet<InstanceKey>
}

export interface World {
  readonly graph: GraphData
  readonly params: Readonly<Record<string, string>>
  readonly config: EngineConfigShape
  readonly records: Map<InstanceKey, InstanceRecord>
  readonly leases: Set<Lease>
  readonly pauses: PauseLock
  readonly journal: Journal
  /** Owner of each node and the nodes each owns, computed once. */
  readonly ownership: ReadonlyMap<string, Ownership>
  readonly owned: ReadonlyMap<string, ReadonlyArray<string>>
  /** Halted by a denial: a change above them may have lifted it. */
  readonly denied: Set<InstanceRecord>
  /** Owners whose rows changed since their demand was last read. */
  readonly dirtyOwners: Set<InstanceKey>
  /** Records that are not settled; each pass looks at these only, so that idle instances cost nothing. */
  readonly attention: Set<InstanceRecord>
  /** Desired again after their stage was given up: discarded before the next commit. */
  readonly discards: Set<InstanceKey>
  /** Records whose run must end. */
  readonly stops: Set<InstanceRecord>
  /** Held instances whose rows go in the next collection. */
  readonly collects: Set<InstanceKey>
  /** Number of the newest run; never reused, also when a key is forgotten and demanded again. */
  lastRun: number
  /** Network failures since the last answer of any kind; the evidence for "offline". */
  networkFailures: number
  hostOnline: boolean
  ready: boolean
  closed: boolean
  statusDirty: boolean
}

export const makeWorld = (
  graph: GraphData,
  params: Readonly<Record<string, string>>,
  config: EngineConfigShape,
): World => ({
  graph,
  params,
  config,
  records: new Map(),
  leases: new Set(),
  pauses: new PauseLock(),
  journal: new Journal(config.journalCapacity),
  ownership: new Map(Object.keys(graph.nodes).map((id) => [id, ownership(graph, id)])),
  owned: new Map(Object.keys(graph.nodes).map((id) => [id, ownedBy(graph, id)])),
  denied: new Set(),
  dirtyOwners: new Set(),
  attention: new Set(),
  discards: new Set(),
  stops: new Set(),
  collects: new Set(),
  lastRun: 0,
  networkFailures: 0,
  hostOnline: true,
  ready: false,
  closed: false,
  statusDirty: true,
})

/** Number of owners above a node. */
export const depthOf = (world: World, node: string): number => {
  let depth = 0
  for (let owner = world.ownership.get(node)?.owner ?? null; owner !== null; depth++)
    owner = world.ownership.get(owner)?.owner ?? null
  return depth
}

export const makeRecord = (world: World, instance: Instance, node: NodeDef, now: number): InstanceRecord => ({
  instance,
  key: instance.key,
  node,
  depth: depthOf(world, node.id),
  state: null,
  hash: instance.hash,
  since: now,
  desiredSince: now,
  held: null,
  rowsChangedAt: 0,
  tried: false,
  storedUpToDateAt: 0,
  demandedBy: new Set(),
  rootDemand: false,
  demands: new Map(),
  below: new Set(),
  run: 0,
  wantsStart: false,
  fresh: false,
  buffer: [],
  arrived: null,
  revokeAt: null,
  keepUntil: null,
  bytes: 0,
  requests: 0,
  slot: false,
  statusCache: null,
})

/** Whether something demands the instance now (leases count through their owners' demand). */
export const isDemanded = (record: InstanceRecord): boolean => record.rootDemand || record.demandedBy.size > 0

/** Marks a record's status as changed. */
export const touch = (world: World, record: InstanceRecord): void => {
  record.statusCache = null
  world.statusDirty = true
  world.attention.add(record)
}

/** Known to be current: live, and up to date since its run began. */
export const isFresh = (record: InstanceRecord): boolean => record.fresh && record.state?._tag === "Live"

/**
 * Whether an instance may start and commit: after a gap nothing commits before its ancestors have committed an up-to-date,
 * so that what was revoked meanwhile goes before anything new is readable (design §4).
 */
export const ancestorsFresh = (world: World, record: InstanceRecord): boolean => {
  if (record.rootDemand) return true
  for (const key of record.demandedBy) {
    const owner = world.records.get(key)
    if (owner !== undefined && isFresh(owner) && ancestorsFresh(world, owner)) return true
  }
  return false
}

/** Whether rows of `owner` demand the instance, directly or through instances between them. */
export const isBelow = (world: World, record: InstanceRecord, owner: InstanceRecord): boolean => {
  for (const key of record.demandedBy) {
    const above = world.records.get(key)
    if (above !== undefined && (above === owner || isBelow(world, above, owner))) return true
  }
  return false
}

/** When the instance was demanded, or rows above it changed last: a gateway that lags may still deny it for a while after that. */
export const grantedAt = (world: World, record: InstanceRecord): number => {
  let at = record.desiredSince
  for (const key of record.demandedBy) {
    const above = world.records.get(key)
    if (above !== undefined) at = Math.max(at, above.rowsChangedAt, grantedAt(world, above))
  }
  return at
}

/** Whether a source should be running or about to run. */
export const isRunning = (record: InstanceRecord): boolean => record.state !== null && isActive(record.state)
