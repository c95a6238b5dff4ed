/**
 * Every limit of the engine, by name, with its unit in the name. Override with `Effect.provideService` or a layer.
 */
import * as Context from "effect/Context"

export interface EngineConfigShape {
  /** Open requests at most, in any phase (design §6). Default 4, for HTTP/1.1. */
  readonly maxConnections: number
  /**
   * How long a long poll keeps its slot while others wait. Default 300. With `n` live instances on `k` connections a change is
   * seen within about `n / k` slices.
   */
  readonly liveSliceMillis: number
  /** First snapshots that may run at once. Default 3. */
  readonly maxConcurrentSnapshots: number
  /** Base of the full-jitter backoff. Default 500. */
  readonly backoffBaseMillis: number
  /** Cap of the backoff. Default 15,000. */
  readonly backoffCapMillis: number
  /** How long a binding must be gone before its instances are revoked: a moving row is in neither shape for some milliseconds. Default 250. */
  readonly revokeGraceMillis: number
  /** Lines the journal keeps. Default 2,000. */
  readonly journalCapacity: number
  /** Requests kept for a person who looks. Default 500. */
  readonly requestLogCapacity: number
  /** Status is published at most this often. Default 50. */
  readonly statusIntervalMillis: number
  /** Messages buffered for one instance before an up-to-date; beyond it the instance refetches. Default 200,000. */
  readonly maxBufferedMessages: number
  /**
   * An up-to-date that brings nothing new is written to the store only this often, so that idle instances cost no disk. Default
   * 60,000: what a reload knows of `lastUpToDateAt` is at most that much too old.
   */
  readonly idleCommitMillis: number
  /** A request without an answer is cut after this long. Default 40,000 (twice the server's long poll). */
  readonly requestTimeoutMillis: number
  /** Failures in a row after which nothing is sent to the origin for a while (429, 5xx or no answer). Default 5. */
  readonly breakerFailures: number
  /** Longest such wait, unless the server asks for more. Default 5,000. */
  readonly breakerCapMillis: number
  /** Requests per second to an origin that has failed twice in a row, until every running instance could be answered again. Default 50. */
  readonly recoveryRequestsPerSecond: number
  /** How long every tab must have been hidden before the engine pauses. Default 60,000. */
  readonly hiddenPauseMillis: number
  /** The wall clock is this far from where it should be: the host slept, or the clock was set. Default 15,000. */
  readonly clockJumpMillis: number
  /** A run that holds a slot and says nothing for this long has failed. Default 600,000. */
  readonly stuckRunMillis: number
  /** A full disk is tried again after this long, or when somebody asks. Default 60,000. */
  readonly storageRetryMillis: number
}

export const defaultEngineConfig: EngineConfigShape = {
  maxConnections: 4,
  liveSliceMillis: 300,
  maxConcurrentSnapshots: 3,
  backoffBaseMillis: 500,
  backoffCapMillis: 15_000,
  revokeGraceMillis: 250,
  journalCapacity: 2_000,
  requestLogCapacity: 500,
  statusIntervalMillis: 50,
  maxBufferedMessages: 200_000,
  idleCommitMillis: 60_000,
  requestTimeoutMillis: 40_000,
  breakerFailures: 5,
  breakerCapMillis: 5_000,
  recoveryRequestsPerSecond: 50,
  hiddenPauseMillis: 60_000,
  clockJumpMillis: 15_000,
  stuckRunMillis: 600_000,
  storageRetryMillis: 60_000,
}

export const EngineConfig = Context.Reference<EngineConfigShape>("@espalier/engine/ports/EngineConfig", {
  defaultValue: () => defaultEngineConfig,
})
