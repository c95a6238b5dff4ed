/**
 * Everything that can go wrong between an instance and its server, as one tagged error with a `reason`. Each reason says
 * whether waiting can clear it; the state machine decides from that alone. Crosses the worker port, hence Schema.
 */
import * as Schema from "effect/Schema"

/** No answer: connection refused, reset, timed out, or the gateway could not reach its upstream. Transient. */
export class Network extends Schema.TaggedClass<Network>()("Network", { message: Schema.String }) {}
/** 429 or 5xx. Transient; `retryAfterMillis` is a floor. */
export class Overloaded extends Schema.TaggedClass<Overloaded>()("Overloaded", {
  status: Schema.Number,
  retryAfterMillis: Schema.optionalKey(Schema.Number),
  message: Schema.String,
}) {}
/** 401: credentials missing or expired. */
export class Unauthorised extends Schema.TaggedClass<Unauthorised>()("Unauthorised", {
  message: Schema.String,
}) {}
/** 403. `revoked` is true only for the gateway's own code; then the rows go too (design §6). */
export class Forbidden extends Schema.TaggedClass<Forbidden>()("Forbidden", {
  revoked: Schema.Boolean,
  message: Schema.String,
}) {}
/** 400 or 404: the server refuses the shape; `message` holds its words. Terminal. */
export class ShapeRejected extends Schema.TaggedClass<ShapeRejected>()("ShapeRejected", {
  status: Schema.Number,
  message: Schema.String,
}) {}
/** The gateway compiles another definition from its graph: the app and the server are of different releases. Terminal. */
export class SchemaMismatch extends Schema.TaggedClass<SchemaMismatch>()("SchemaMismatch", {
  message: Schema.String,
}) {}
/** An answer that the protocol does not allow (missing headers, not an array, malformed JSON). Transient, paced. */
export class ProtocolViolation extends Schema.TaggedClass<ProtocolViolation>()("ProtocolViolation", {
  message: Schema.String,
}) {}
/** The stream ended although nobody asked it to. Transient. */
export class SourceEnded extends Schema.TaggedClass<SourceEnded>()("SourceEnded", {
  message: Schema.String,
}) {}
/** Postgres refused a row of this instance. Terminal until refetched; nothing of the batch stays. */
export class RowRejected extends Schema.TaggedClass<RowRejected>()("RowRejected", {
  table: Schema.String,
  message: Schema.String,
}) {}
/** The local store failed as a whole. Transient, paced. */
export class StoreUnavailable extends Schema.TaggedClass<StoreUnavailable>()("StoreUnavailable", {
  message: Schema.String,
}) {}
/** Local storage is full. Transient: everything pauses and is tried again (`storageRetryMillis`). */
export class QuotaExceeded extends Schema.TaggedClass<QuotaExceeded>()("QuotaExceeded", {
  message: Schema.String,
}) {}

export const ShapeErrorReason = Schema.Union([
  Network,
  Overloaded,
  Unauthorised,
  Forbidden,
  ShapeRejected,
  SchemaMismatch,
  ProtocolViolation,
  SourceEnded,
  RowRejected,
  StoreUnavailable,
  QuotaExceeded,
])
export type ShapeErrorReason = typeof ShapeErrorReason.Type

const transientReasons: ReadonlySet<ShapeErrorReason["_tag"]> = new Set([
  "Network",
  "Overloaded",
  "ProtocolViolation",
  "SourceEnded",
  "StoreUnavailable",
  "QuotaExceeded",
])

/** An instance's failure. */
export class ShapeError extends Schema.TaggedError<ShapeError>()("ShapeError", {
  key: Schema.String,
  reason: ShapeErrorReason,
}) {
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
