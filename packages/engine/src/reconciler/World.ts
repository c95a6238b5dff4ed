/**
 * What the reconciler knows: one record per instance, desired or merely held. Mutable, owned by the reconciler's single
 * fiber; nothing else may touch it. Exists apart from the loop so that desired state, admission and status can be
 * written as small functions over it.
 */
import type { GraphData } from "../graph/Graph.ts"
import type { NodeDef } from "../graph/Node.ts"
import { type InstanceState, isActive } from "../machine/InstanceState.ts"
import type { EngineConfigShape } from "../ports/EngineConfig.ts"
import type { Batch } from "../ports/ShapeSource.ts"
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import { type Ownership, ownership } from "../protocol/compile.ts"
import type { InstanceStatus } from "../protocol/InstanceStatus.ts"
import type { Message } from "../protocol/Message.ts"
import type { Instance, InstanceKey } from "../protocol/Shape.ts"
import { type Agenda, type Entry, makeAgenda, type Place } from "./agendaParts.ts"
import { Journal } from "./Journal.ts"
import { LeaseBook } from "./LeaseBook.ts"
import { type Link, linksOf, ownersAbove } from "./links.ts"
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
  readonly ack: () => void
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
  /** Owner instances whose rows demand this one, with the number of their value tuples that do (nearly always 1). */
  readonly demandedBy: Map<InstanceKey, number>
  /** Demanded by being a root, not by rows. */
  rootDemand: boolean
  /** What its rows demand, by link; empty until they were read. */
  demands: ReadonlyArray<Demand>
  /** Instances its rows demanded and demand no more, or would demand were it desired: they go with it, kept or not. */
  below: Set<InstanceKey> | null
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
  /** When its run last said anything, epoch milliseconds. */
  heardAt: number
  /** Refetches in a row for rows the store did not know, and when the last one was. */
  refetches: number
  refetchedAt: number
  /** Somebody looks at it, or at something below it: it is served before others. */
  preferred: boolean
  /** Owners that are preferred because it is. */
  preferredFor: ReadonlyArray<InstanceKey>
  /** Preferred instances below it. */
  preferredBelow: number
  statusCache: InstanceStatus | null
  /** Where it stands in the agenda; kept by the agenda alone. */
  readonly place: Place<InstanceRecord>
}

/** The value tuples of an owner's rows in the columns of one link. */
export interface Demand {
  /** Each row's tuple, by the row's key. */
  readonly rows: Map<string, string>
  readonly tuples: Map<string, DemandedTuple>
}

export interface DemandedTuple {
  /** Rows that hold it. */
  rows: number
  /** The instance it demands of each node of the link; null when the node is not wanted or does not compile. */
  readonly keys: Array<InstanceKey | null>
}

export interface World {
  readonly graph: GraphData
  params: Readonly<Record<string, string>>
  readonly config: EngineConfigShape
  readonly records: Map<InstanceKey, InstanceRecord>
  readonly leases: LeaseBook
  readonly pauses: PauseLock
  readonly journal: Journal
  /** Owner of each node and the links each owns, computed once. */
  readonly ownership: ReadonlyMap<string, Ownership>
  readonly links: ReadonlyMap<string, ReadonlyArray<Link>>
  /** Owners by the tuples their rows hold, for nodes on demand: what a new lease may wake. */
  readonly offers: ReadonlyMap<string, Map<string, Set<InstanceKey>>>
  /** Owners whose rows changed since their demand was last read: which rows, by key, or all of them. */
  readonly dirtyOwners: Map<InstanceKey, Map<string, ReadonlyArray<string>> | "all">
  /** The demanded instance of each root. */
  readonly roots: Map<string, InstanceKey>
  /** Demand of former parameters, withdrawn once the new ones have been read. */
  readonly retiring: Array<{ readonly owner: InstanceKey | null; readonly key: InstanceKey }>
  /** Touched since their precedence was last looked at. */
  readonly unranked: Set<InstanceRecord>
  /** What needs a look in the next pass, and the counts behind the roll-ups; idle instances cost nothing. */
  readonly agenda: Agenda<InstanceRecord>
  /** Desired again after their stage was given up: discarded before the next commit. */
  readonly discards: Set<InstanceKey>
  /** Records whose run must end. */
  readonly stops: Set<InstanceRecord>
  /** Held instances whose rows go in the next collection. */
  readonly collects: Set<InstanceKey>
  /** Records that went while preferred: their source and owners are still to be told. */
  readonly dropped: Set<InstanceRecord>
  /** Number of the newest run; never reused, also when a key is forgotten and demanded again. */
  lastRun: number
  /** Network failures since the last answer of any kind; the evidence for "offline". */
  networkFailures: number
  /** Failures of the origin (no answer, or an overloaded one) since the last good answer. */
  originFailures: number
  hostOnline: boolean
  /** Received and sent in this session, over all instances. */
  bytes: number
  requests: number
  /** Number of the newest status. */
  generation: number
  /** The host shows the app to nobody, and since when; null when it does, or once that has become a pause. */
  hostVisible: boolean
  hiddenSince: number | null
  /** Since when the full disk holds everything. */
  storageSince: number | null
  /** When runs that say nothing were last looked for; also moved by a clock jump. */
  watchedAt: number
  /** Somebody retried what was halted for its credentials. */
  reopenCredentials: boolean
  ready: boolean
  closed: boolean
  statusDirty: boolean
}

/** Order of admission: preferred first, then priority, parents, age. */
const admittedFirst = (left: Entry<InstanceRecord>, right: Entry<InstanceRecord>): boolean => {
  if (left.preferred !== right.preferred) return left.preferred
  const [a, b] = [left.record, right.record]
  if (a.node.priority !== b.node.priority) return a.node.priority > b.node.priority
  if (a.depth !== b.depth) return a.depth < b.depth
  return left.at === right.at ? a.key < b.key : left.at < right.at
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
  leases: new LeaseBook(graph),
  pauses: new PauseLock(),
  journal: new Journal(config.journalCapacity),
  ownership: new Map(Object.keys(graph.nodes).map((id) => [id, ownership(graph, id)])),
  links: new Map(Object.keys(graph.nodes).map((id) => [id, linksOf(graph, id)])),
  offers: new Map(
    Object.values(graph.nodes)
      .filter(({ sync }) => sync === "onDemand")
      .map(({ id }) => [id, new Map()]),
  ),
  dirtyOwners: new Map(),
  roots: new Map(),
  retiring: [],
  unranked: new Set(),
  agenda: makeAgenda(admittedFirst),
  discards: new Set(),
  stops: new Set(),
  collects: new Set(),
  dropped: new Set(),
  lastRun: 0,
  networkFailures: 0,
  originFailures: 0,
  hostOnline: true,
  bytes: 0,
  requests: 0,
  generation: 0,
  hostVisible: true,
  hiddenSince: null,
  storageSince: null,
  watchedAt: 0,
  reopenCredentials: false,
  ready: false,
  closed: false,
  statusDirty: true,
})

const noOwners: ReadonlyArray<InstanceKey> = []
const noDemands: ReadonlyArray<Demand> = []

export const makeRecord = (world: World, instance: Instance, node: NodeDef, now: number): InstanceRecord => ({
  instance,
  key: instance.key,
  node,
  depth: ownersAbove(world.graph, node.id),
  state: null,
  hash: instance.hash,
  since: now,
  desiredSince: now,
  held: null,
  rowsChangedAt: 0,
  tried: false,
  storedUpToDateAt: 0,
  demandedBy: new Map(),
  rootDemand: false,
  demands: noDemands,
  below: null,
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
  heardAt: now,
  refetches: 0,
  refetchedAt: Number.NEGATIVE_INFINITY,
  preferred: false,
  preferredFor: noOwners,
  preferredBelow: 0,
  statusCache: null,
  place: { bits: 0, rows: 0, timer: null, queued: null },
})

/** Whether something demands the instance now (leases count through their owners' demand). */
export const isDemanded = (record: InstanceRecord): boolean => record.rootDemand || record.demandedBy.size > 0

/** Desired as far as the machine knows: also while its binding is gone for a moment, and its children still run. */
export const isActual = (record: InstanceRecord): boolean =>
  record.state !== null && record.state._tag !== "Draining"

/** Leases that name exactly this instance's node and agree with its bindings. */
export const leasesOn = (world: World, record: InstanceRecord): number =>
  world.leases.on(record.node.id, record.instance.bindings)

/** Marks a record as changed: its status, and what it needs next. To be called after every change of a record. */
export const touch = (world: World, record: InstanceRecord): void => {
  record.statusCache = null
  world.statusDirty = true
  world.agenda.touched.add(record)
  world.unranked.add(record)
}

/** Known to be current: live, and up to date since its run began. */
export const isFresh = (record: InstanceRecord): boolean => record.fresh && record.state?._tag === "Live"

/**
 * Whether an instance may start and commit: after a gap nothing commits before its ancestors have committed an up-to-date,
 * so that what was revoked meanwhile goes before anything new is readable (design §4).
 */
export const ancestorsFresh = (world: World, record: InstanceRecord): boolean => {
  if (record.rootDemand) return true
  for (const key of record.demandedBy.keys()) {
    const owner = world.records.get(key)
    if (owner !== undefined && isFresh(owner) && ancestorsFresh(world, owner)) return true
  }
  return false
}

/** Whether a source should be running or about to run. */
export const isRunning = (record: InstanceRecord): boolean => record.state !== null && isActive(record.state)
