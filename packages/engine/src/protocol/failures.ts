/**
 * Every failure the engine knows, as data: what went wrong → reason → state → what happens next. Exists so that documentation
 * (`docs/errors.md`), tests and a panel say the same. It decides nothing: classification is the adapters', verdicts are the retry
 * policy's; a test per row holds this table to what they do.
 */
import type { StateName } from "./InstanceStatus.ts"
import type { ShapeErrorReason } from "./ShapeError.ts"

export interface FailureRow {
  /** What was seen, as a person would say it. */
  readonly failure: string
  /** Null: not a failure of the instance. */
  readonly reason: ShapeErrorReason["_tag"] | null
  /** The state it leads to. */
  readonly state: StateName
  /** What the engine does next. */
  readonly next: string
}

const row = (failure: string, reason: FailureRow["reason"], state: StateName, next: string): FailureRow => ({
  failure,
  reason,
  state,
  next,
})

const backsOff = "waits with full jitter, then goes on from its checkpoint"
const backsOffAll = `${backsOff}; several in a row hold the whole origin`
const halts = "halts and keeps its rows; a retry or another definition asks again"
const refetches = "asks from the start past every cache; old rows stay until the swap"

/** Failures on the wire. */
export const wireFailures = {
  "400": row("400: the server refuses the shape", "ShapeRejected", "Halted", halts),
  "401": row(
    "401, and there is no refresh",
    "Unauthorised",
    "Halted",
    "halts and keeps its rows; new credentials or a retry ask again",
  ),
  "401-refreshed": row(
    "401, and the refresh brings new credentials",
    null,
    "Live",
    "one refresh for all instances, then the same request again",
  ),
  "401-refused": row(
    "401, and the refresh fails or its credentials meet a 401 too",
    "Unauthorised",
    "Halted",
    "every instance that asks halts without a request; new credentials or a retry reopen them all",
  ),
  "403": row(
    "403 of anybody but the gateway (portal, firewall, proxy)",
    "Forbidden",
    "Halted",
    "halts and keeps its rows; a changed owner row, new credentials or a retry ask again",
  ),
  "403-revoked": row(
    "403 with the gateway's code `revoked`",
    "Forbidden",
    "Halted",
    "collects its rows and all below it; within 5 s of being demanded it is retried up to 4 times first",
  ),
  "404": row("404: no such node or address", "ShapeRejected", "Halted", halts),
  "408": row("408, 407, 425, 504, 511: something in between", "Network", "Backoff", backsOff),
  "409": row("409 with the handle to go on with", null, "Refetching", refetches),
  "409-bare": row("409 without a handle", null, "Refetching", refetches),
  "409-repeated": row(
    "409 again and again",
    "ProtocolViolation",
    "Backoff",
    "the second and third within a minute wait, the fourth is a failure and backs off; old rows stay",
  ),
  "412": row(
    "412 of the gateway: the app is of another release",
    "SchemaMismatch",
    "Halted",
    "halts and keeps its rows; a reload of the app brings the definition",
  ),
  "413": row("413: the request is too large", "ShapeRejected", "Halted", halts),
  "429": row("429", "Overloaded", "Backoff", backsOffAll),
  "500": row("500", "Overloaded", "Backoff", backsOffAll),
  "502": row("502: the upstream is away", "Network", "Backoff", backsOffAll),
  "503": row("503 without Retry-After", "Overloaded", "Backoff", backsOffAll),
  "503-seconds": row(
    "503 (or 429) with Retry-After in seconds",
    "Overloaded",
    "Backoff",
    "no request to the origin before that time (at most an hour)",
  ),
  "503-date": row(
    "503 (or 429) with Retry-After as a date",
    "Overloaded",
    "Backoff",
    "no request to the origin before that time (at most an hour)",
  ),
  "bad-json": row("a body that is not JSON", "ProtocolViolation", "Backoff", backsOff),
  "not-array": row("a body that is not an array", "ProtocolViolation", "Backoff", backsOff),
  "bad-headers": row("an answer without handle or offset", "ProtocolViolation", "Backoff", backsOff),
  "content-type": row("a content type that is not JSON", "ProtocolViolation", "Backoff", backsOff),
  redirect: row("a redirect to another origin", "ProtocolViolation", "Backoff", backsOff),
  truncated: row("a body shorter than announced", "Network", "Backoff", backsOffAll),
  reset: row("a connection reset in the body, or before", "Network", "Backoff", backsOffAll),
  stalled: row("a body that stalls for `bodyIdleMillis`", "Network", "Backoff", backsOffAll),
  hang: row("no answer within `requestTimeoutMillis`", "Network", "Backoff", backsOffAll),
  "clock-jump": row(
    "the host slept, or its clock was set",
    null,
    "Live",
    "open requests are taken for dead and asked again, as few at a time as ever",
  ),
} as const satisfies Record<string, FailureRow>

/** Failures on this side of the wire. */
export const localFailures = {
  stuck: row("a run that holds a slot and says nothing for `stuckRunMillis`", "Network", "Backoff", backsOff),
  ended: row("a source that ends by itself", "SourceEnded", "Backoff", backsOff),
  overflow: row(
    "more than `maxBufferedMessages` before an up-to-date",
    "ProtocolViolation",
    "Backoff",
    backsOff,
  ),
  "unknown-row": row("an update of a row the store does not hold", null, "Refetching", refetches),
  "unknown-row-repeated": row(
    "the same again within a minute",
    "ProtocolViolation",
    "Backoff",
    "waits longer each time, then fetches anew; old rows stay",
  ),
  row: row("Postgres refuses a row", "RowRejected", "Halted", halts),
  store: row("the local store fails", "StoreUnavailable", "Backoff", backsOff),
  quota: row(
    "local storage is full",
    "QuotaExceeded",
    "Paused",
    "everything pauses (`storage`) and is tried again after `storageRetryMillis`, or when somebody retries",
  ),
} as const satisfies Record<string, FailureRow>
