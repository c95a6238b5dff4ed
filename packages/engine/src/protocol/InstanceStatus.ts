/**
 * Status as data: what the engine holds, why, and what it waits for. Plain JSON types because it crosses from the worker
 * to every tab many times a second; the panel, the composables and a failing test all print this. "Status cannot lie"
 * (design §7): `Live` implies that the rows of that checkpoint are readable.
 */

/** States of one instance (style reference §3d). */
export type StateName =
  | "Pending"
  | "Initial"
  | "Syncing"
  | "Live"
  | "Refetching"
  | "Backoff"
  | "Paused"
  | "Halted"
  | "Draining"

/** Roll-up of a node or the graph (design §7). */
export type Rollup = "idle" | "loading" | "live" | "stale" | "offline" | "blocked" | "error"

export type PauseReason = "offline" | "hidden" | "auth" | "manual" | "storage"

export interface StatusError {
  /** Tag of the `ShapeErrorReason`. */
  readonly reason: string
  readonly message: string
}

export interface InstanceStatus {
  readonly key: string
  readonly node: string
  readonly table: string
  readonly bindings: Readonly<Record<string, string>>
  readonly hash: string
  readonly state: StateName
  /** Epoch milliseconds of the last state change. */
  readonly since: number
  readonly attempt: number
  readonly nextAttemptAt: number | null
  readonly error: StatusError | null
  /** Rows this instance holds in the local store. */
  readonly rows: number
  /** Response bytes received in this session. */
  readonly bytes: number
  readonly requests: number
  readonly handle: string | null
  readonly offset: string | null
  /** Epoch milliseconds of the last committed up-to-date; null when there never was one. */
  readonly lastUpToDateAt: number | null
  /** True while it holds one of the open connections. */
  readonly slot: boolean
  readonly leases: number
  /** Keys of the owner's instances whose rows demand it; empty for roots. */
  readonly demandedBy: ReadonlyArray<string>
  readonly pauseReasons: ReadonlyArray<PauseReason>
  /** False when it is only kept, not desired. */
  readonly desired: boolean
}

export interface NodeStatus {
  readonly node: string
  readonly table: string
  readonly state: Rollup
  /** Desired instances. */
  readonly instances: number
  /** Of these, those that have been up to date at least once: `complete / instances` is how far a first sync is. */
  readonly complete: number
  /** Of these, those known to be current. */
  readonly live: number
  readonly rows: number
  readonly error: StatusError | null
}

/**
 * How far the graph is. The total of instances is known as far as the owners' rows are; how many rows a shape will bring, the
 * protocol does not say.
 */
export interface Progress {
  readonly instances: number
  readonly complete: number
  readonly live: number
  /** Rows held by desired instances; a row two of them hold counts twice. */
  readonly rows: number
  /** Response bytes received in this session. */
  readonly bytes: number
  /** Requests sent in this session. */
  readonly requests: number
}

export interface EngineStatus {
  readonly graph: string
  readonly state: Rollup
  readonly nodes: Readonly<Record<string, NodeStatus>>
  readonly progress: Progress
  readonly instances: Readonly<Record<string, InstanceStatus>>
  /** `heldMillis`: the server fails, so nothing is asked of it for this long. */
  readonly connections: {
    readonly open: number
    readonly max: number
    readonly waiting: number
    readonly heldMillis?: number
  }
  readonly pauseReasons: ReadonlyArray<PauseReason>
  /** True once the first desired state was computed from the store, so that "no rows" means no rows. */
  readonly ready: boolean
  /** Rises with every published status of one engine run. */
  readonly generation: number
}

/** One line of the journal: what the engine decided and why. */
export interface JournalEntry {
  readonly seq: number
  /** Epoch milliseconds. */
  readonly at: number
  readonly key: string | null
  readonly event: string
  readonly detail: string
}

/** Answer of `explain(key)`. */
export interface Explanation {
  readonly key: string
  readonly desired: boolean
  /** Sentences, most important first. */
  readonly why: ReadonlyArray<string>
  readonly waitingFor: string | null
  /** What happens next without anybody's help, in a sentence; null when nothing does. */
  readonly next: string | null
  readonly status: InstanceStatus | null
  readonly definition: unknown
  readonly journal: ReadonlyArray<JournalEntry>
}

/** Answer of `explainRow(table, pk)`. */
export interface RowExplanation {
  readonly table: string
  /** Postgres text, in key order. */
  readonly primaryKey: ReadonlyArray<string>
  /** The instances that hold it, sorted by key; none when the row is not here. It goes with the last of them. */
  readonly heldBy: ReadonlyArray<RowHolder>
}

export interface RowHolder {
  readonly key: string
  readonly node: string | null
  readonly desired: boolean
  readonly state: StateName | null
  /** Sentences, as in {@link Explanation}. */
  readonly why: ReadonlyArray<string>
}
