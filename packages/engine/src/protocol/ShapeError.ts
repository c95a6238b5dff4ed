/**
 * Everything that can go wrong between an instance and its server, as one tagged error with a `reason`. Each reason says
 * whether waiting can clear it; the state machine decides from that alone. Never leaves the process as a class: status carries
 * tag and message. So no Schema: it would be 15 kB of the worker, gzipped.
 */
import * as Data from "effect/Data"

/** No answer: connection refused, reset, timed out, or the gateway could not reach its upstream. Transient. */
export class Network extends Data.TaggedClass("Network")<{
  readonly message: string
}> {}
/** 429 or 5xx. Transient; `retryAfterMillis` is a floor. */
export class Overloaded extends Data.TaggedClass("Overloaded")<{
  readonly status: number
  readonly retryAfterMillis?: number
  readonly message: string
}> {}
/** 401: credentials missing or expired. */
export class Unauthorised extends Data.TaggedClass("Unauthorised")<{
  readonly message: string
}> {}
/** 403. `revoked` is true only for the gateway's own code; then the rows go too (design §6). */
export class Forbidden extends Data.TaggedClass("Forbidden")<{
  readonly revoked: boolean
  readonly message: string
}> {}
/** 400 or 404: the server refuses the shape; `message` holds its words. Terminal. */
export class ShapeRejected extends Data.TaggedClass("ShapeRejected")<{
  readonly status: number
  readonly message: string
}> {}
/** The gateway compiles another definition from its graph: the app and the server are of different releases. Terminal. */
export class SchemaMismatch extends Data.TaggedClass("SchemaMismatch")<{
  readonly message: string
}> {}
/** An answer that the protocol does not allow (missing headers, not an array, malformed JSON). Transient, paced. */
export class ProtocolViolation extends Data.TaggedClass("ProtocolViolation")<{
  readonly message: string
}> {}
/** The stream ended although nobody asked it to. Transient. */
export class SourceEnded extends Data.TaggedClass("SourceEnded")<{
  readonly message: string
}> {}
/** Postgres refused a row of this instance. Terminal until refetched; nothing of the batch stays. */
export class RowRejected extends Data.TaggedClass("RowRejected")<{
  readonly table: string
  readonly message: string
}> {}
/** The local store failed as a whole. Transient, paced. */
export class StoreUnavailable extends Data.TaggedClass("StoreUnavailable")<{
  readonly message: string
}> {}
/** Local storage is full. Transient: everything pauses and is tried again (`storageRetryMillis`). */
export class QuotaExceeded extends Data.TaggedClass("QuotaExceeded")<{
  readonly message: string
}> {}

export type ShapeErrorReason =
  | Network
  | Overloaded
  | Unauthorised
  | Forbidden
  | ShapeRejected
  | SchemaMismatch
  | ProtocolViolation
  | SourceEnded
  | RowRejected
  | StoreUnavailable
  | QuotaExceeded

const transientReasons: ReadonlySet<ShapeErrorReason["_tag"]> = new Set([
  "Network",
  "Overloaded",
  "ProtocolViolation",
  "SourceEnded",
  "StoreUnavailable",
  "QuotaExceeded",
])

/** An instance's failure. */
export class ShapeError extends Data.TaggedError("ShapeError")<{
  readonly key: string
  readonly reason: ShapeErrorReason
}> {
  /** Waiting can clear it. */
  get retryable(): boolean {
    return transientReasons.has(this.reason._tag)
  }
  /** Floor for the next attempt in milliseconds, 0 when the server named none. */
  get retryAfterMillis(): number {
    return this.reason._tag === "Overloaded" ? (this.reason.retryAfterMillis ?? 0) : 0
  }
  override get message(): string {
    return `${this.key}: ${this.reason._tag}: ${this.reason.message}`
  }
}
