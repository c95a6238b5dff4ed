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
  readonly instances: number
  readonly live: number
  readonly rows: number
  readonly error: StatusError | null
}

export interface EngineStatus {
  readonly graph: string
  readonly state: Rollup
  readonly nodes: Readonly<Record<string, NodeStatus>>
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
  readonly status: InstanceStatus | null
  readonly definition: unknown
  readonly journal: ReadonlyArray<JournalEntry>
}
