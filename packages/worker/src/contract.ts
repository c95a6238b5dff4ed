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

/** What a tab gives the worker; the leader's copy starts the engine. */
export interface HostSettings {
  /** Names the database, the leader election and the channels. One user = one name. */
  readonly name: string
  /** PGlite data directory, e.g. `idb://workspaces-7`, or `memory://`. */
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
  /** For requests from now on; what was halted for the old ones goes on. Repeated to the next leader. */
  readonly setCredentials: (credentials: RequestCredentials) => boolean
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
  readonly params: Readonly<Record<string, string>>
  /** Last known; null before the first status arrives. */
  readonly status: EngineStatus | null
  readonly phase: HostPhase
  /** True while this tab's worker runs the engine. */
  readonly isLeader: boolean
  readonly onStatus: (listener: (status: EngineStatus) => void) => () => void
  readonly onPhase: (listener: (phase: HostPhase) => void) => () => void
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
  /** Ends this tab's leases, channels and worker. The data stays. */
  readonly close: () => Promise<void>
}
