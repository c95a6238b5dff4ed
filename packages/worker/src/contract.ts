/**
 * The whole contract between tabs and the engine, as types: what a tab may ask, what it is told. Everything here is
 * structured-clonable plain data. Types only, so that the page half carries no Effect (design §8).
 */
import type { GraphData } from "@espalier/engine/graph"
import type {
  EngineStatus,
  Explanation,
  JournalEntry,
  PauseReason,
  RequestEntry,
} from "@espalier/engine/protocol"

/** Where shapes come from. `gateway`: node + bindings; `electric`: full definitions, for servers without a gateway. */
export interface SourceSettings {
  readonly kind: "gateway" | "electric"
  /** Absolute or origin-relative URL of the shape route, e.g. `/v1/shape`. */
  readonly url: string
}

/** Where rows lie: IndexedDB, the origin-private file system, or the worker's memory. */
export type StorageBackend = "idb" | "opfs" | "memory"

/** How much of the quota is used: from `warning` on, someone should be told; `full` also when a write was refused. */
export type StorageLevel = "ok" | "warning" | "critical" | "full"

/** Rows that were given up for space. */
export interface StorageEviction {
  /** Epoch milliseconds. */
  readonly at: number
  /** Key of the instance. */
  readonly key: string
  readonly rows: number
  readonly reason: string
}

/** The storage of the database that this tab shares, as its leader sees it. */
export interface StorageStatus {
  readonly backend: StorageBackend
  /** Why this back end, in a sentence; says so when rows are in memory only. */
  readonly reason: string
  /** `strict`: a commit is announced when it is stored. `relaxed`: storing may be a bounded time behind. */
  readonly durability: "relaxed" | "strict"
  /** Whether the browser promised not to clear the origin under pressure; null when it does not say. */
  readonly persisted: boolean | null
  /** Of the whole origin, as the browser estimates it; null when it does not say. */
  readonly usageBytes: number | null
  readonly quotaBytes: number | null
  readonly level: StorageLevel
  /** Newest last; only those of this leader. */
  readonly evictions: ReadonlyArray<StorageEviction>
}

/** What a tab gives the worker; the leader's copy starts the engine. */
export interface HostSettings {
  /** Names the database, the leader election and the channels. One user = one name. */
  readonly name: string
  /**
   * PGlite data directory, e.g. `idb://workspaces-7`, `opfs-ahp://workspaces-7` or `memory://`; `auto://workspaces-7` takes the first
   * of IndexedDB and the origin-private file system that works. Where the storage asked for is blocked, rows are kept in memory and
   * `storage` says why.
   */
  readonly dataDir: string
  readonly graph: GraphData
  /** Values of the graph's parameters as text. */
  readonly params: Readonly<Record<string, string>>
  readonly source: SourceSettings
  /** Overrides of named engine limits (`EngineConfig`). */
  readonly config?: Readonly<Record<string, number>>
}

/** Demand for instances of a node; partial bindings demand all that match. */
export interface LeaseRequest {
  readonly node: string
  readonly bindings?: Readonly<Record<string, string>>
}

/** Start-up phases of the host, in order; `failed` carries what to do. */
export type HostPhase =
  | { readonly phase: "starting"; readonly step: "worker" | "database" | "schema" | "engine" }
  | { readonly phase: "ready" }
  | { readonly phase: "failed"; readonly message: string }
  | { readonly phase: "closed" }

/** Rows of these local tables changed in one commit. */
export interface CommitNotice {
  readonly tables: ReadonlyArray<string>
}

/** What requests carry to prove who asks. Lives in the leader's memory only: never stored, logged or shown. */
export interface RequestCredentials {
  readonly headers?: Readonly<Record<string, string>>
  readonly params?: Readonly<Record<string, string>>
}

/** Commands and questions a tab may send. Every command is idempotent. */
export interface EngineCalls {
  readonly retry: (key: string) => boolean
  readonly refetch: (key: string) => boolean
  readonly pause: (reason: PauseReason) => boolean
  readonly resume: (reason: PauseReason) => boolean
  readonly explain: (key: string) => Explanation
  readonly holders: (table: string, primaryKey: ReadonlyArray<string>) => ReadonlyArray<string>
  readonly journal: () => ReadonlyArray<JournalEntry>
  /** The engine's last HTTP requests, oldest first; without headers and secrets. */
  readonly requests: () => ReadonlyArray<RequestEntry>
  readonly wipe: () => boolean
  /**
   * Gives up the rows of an instance that is kept but not desired, and of what hangs on it; they come back when they are demanded
   * again. False when there is none, or when it is desired.
   */
  readonly evict: (key: string) => boolean
  /** For requests from now on; what was halted for the old ones goes on. Repeated to the next leader. */
  readonly setCredentials: (credentials: RequestCredentials) => boolean
  /**
   * New values of client parameters, as Postgres text; those not named keep theirs. All tabs share one engine, so they hold for
   * all of them, and for the next leader. Refused by name (`CompileError`) when a name is unknown, belongs to the identity, or a
   * value has another type.
   */
  readonly setParams: (params: Readonly<Record<string, string>>) => boolean
}

/** Answer of {@link EngineClient.inspect}. */
export interface InspectResult {
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<unknown>>
  /** There are more rows than were handed over. */
  readonly truncated: boolean
}

/** The page half of the engine, as composables and apps use it. */
export interface EngineClient {
  readonly graph: GraphData
  /** Values of the graph's parameters now; those of the client follow {@link setParams} in any tab. */
  readonly params: Readonly<Record<string, string>>
  /** Last known; null before the first status arrives. */
  readonly status: EngineStatus | null
  readonly phase: HostPhase
  /** Last known; null before the database's storage is chosen. */
  readonly storage: StorageStatus | null
  /** True while this tab's worker runs the engine. */
  readonly isLeader: boolean
  readonly onStatus: (listener: (status: EngineStatus) => void) => () => void
  readonly onPhase: (listener: (phase: HostPhase) => void) => () => void
  readonly onStorage: (listener: (storage: StorageStatus) => void) => () => void
  /** Called when {@link params} changed, whichever tab changed them. */
  readonly onParams: (listener: (params: Readonly<Record<string, string>>) => void) => () => void
  /** Also called (with every table of the graph) after a change of leader, because notices may have been missed. */
  readonly onCommit: (listener: (notice: CommitNotice) => void) => () => void
  /** A read. Waits until the database is open; retried by itself when the leader changes. */
  readonly query: <Row = Record<string, unknown>>(
    sql: string,
    params?: ReadonlyArray<unknown>,
  ) => Promise<ReadonlyArray<Row>>
  /**
   * The first rows of one statement that a person wrote, in a read-only transaction that is rolled back: it can change
   * nothing. For consoles; an app reads with `query`, which has parameters.
   */
  readonly inspect: (sql: string) => Promise<InspectResult>
  readonly acquire: (lease: LeaseRequest) => { readonly release: () => void }
  /** Rejects with a named error when no leader answers in time. */
  readonly call: <Name extends keyof EngineCalls>(
    name: Name,
    ...args: Parameters<EngineCalls[Name]>
  ) => Promise<ReturnType<EngineCalls[Name]>>
  /**
   * Moves the engine to other values of client parameters, as the call of that name. Resolves when that is decided, not when the
   * new rows are there.
   */
  readonly setParams: (params: Readonly<Record<string, string>>) => Promise<boolean>
  /** Ends this tab's leases, channels and worker. The data stays. */
  readonly close: () => Promise<void>
}
