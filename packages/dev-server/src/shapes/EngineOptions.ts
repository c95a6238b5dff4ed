/** What an engine is made of: its database, its adapters, its clock and its limits. Declarations only. */
import type { Capture } from "../capture/Capture.ts"
import type { Database } from "../db/Database.ts"
import type { ShapeStore } from "../store/ShapeStore.ts"
import type { Clock } from "./Clock.ts"

/** What an engine is made of. */
export interface EngineOptions {
  readonly db: Database
  readonly capture: Capture
  readonly store: ShapeStore
  readonly clock: Clock
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Bytes of JSON that close a chunk. */
  readonly chunkBytes: number
  /** Bytes of log beyond which a shape is rotated. */
  readonly maxLogBytes: number
  /** Shapes kept at most; the least recently used one without waiters goes first. */
  readonly maxShapes: number
  /** Bytes of JSON of all shapes kept in memory at most; shapes go as above. */
  readonly maxMemoryBytes: number
  /** Folder that keeps large snapshots over restarts; `null` for a temporary one. */
  readonly snapshotFolder: string | null
  /** Called when a round fails for a reason that is nobody's request. */
  readonly onFailure: (error: unknown) => void
}
