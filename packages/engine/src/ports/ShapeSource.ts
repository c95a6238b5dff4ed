/**
 * Port: where an instance's log comes from. Implemented by the Electric adapter and by the scripted source of tests;
 * called by the reconciler only. A source never retries and never parses values: retrying is the state machine's decision,
 * values are Postgres text.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Checkpoint } from "../protocol/Checkpoint.ts"
import type { Message } from "../protocol/Message.ts"
import type { Content } from "../protocol/PackedRows.ts"
import type { RequestEntry } from "../protocol/RequestEntry.ts"
import type { Instance, InstanceKey } from "../protocol/Shape.ts"
import type { ShapeError } from "../protocol/ShapeError.ts"

/** One response of the server, whole. Handle and offset belong to exactly these messages. */
export interface Batch extends Content {
  readonly _tag: "Batch"
  readonly checkpoint: Checkpoint
  /** Changes, events and snapshot-ends in log order; up-to-date is the flag below. */
  readonly messages: ReadonlyArray<Message>
  /** The response ended with up-to-date: everything up to here has been sent. */
  readonly upToDate: boolean
  readonly lastSeenLsn: string | null
  /** Size of the body in bytes, 0 when unknown. */
  readonly bytes: number
}

/**
 * The handle is void: keep the old rows, start again from the beginning. The stream goes on with the new handle's batches.
 * Sources emit it for a 409, and for any handle change or offset regression they did not ask for.
 */
export interface MustRefetch {
  readonly _tag: "MustRefetch"
}

/** Signals without rows: a request was sent, or a connection slot was gained or lost. For status only. */
export interface SourceSignal {
  readonly _tag: "Signal"
  readonly signal: "request" | "slot-gained" | "slot-lost"
}

export type SourceEvent = Batch | MustRefetch | SourceSignal

/** What a run waits for inside its source, before its next request is begun. */
export interface SourceWait {
  /**
   * `retry-after`: the server asked everybody for patience; `breaker`: it failed too often in a row; `probe`: one request tries it out
   * before others may; `budget`: after failures requests are spaced; `connection`: others hold them all.
   */
  readonly gate: "retry-after" | "breaker" | "probe" | "budget" | "connection"
  /** Milliseconds until the gate opens; null when it opens with the end of another request. */
  readonly millis: number | null
  /** Runs that wait at the gate, this one included. */
  readonly waiting: number
}

/** Takes what a subscription brings. Neither is called after its scope was closed. */
export interface SourceListener {
  /** The next event comes once `next` was called, exactly once; for a batch that is the acknowledgement. */
  readonly onEvent: (event: SourceEvent, next: () => void) => void
  /** The run failed; the last thing said. */
  readonly onEnd: (error: ShapeError) => void
}

/** Opens the log of an instance from a checkpoint (or from the start), until the scope closes. */
export type Subscribe = (
  instance: Instance,
  resume: Checkpoint | null,
  listener: SourceListener,
) => Effect.Effect<void, never, Scope.Scope>

export class ShapeSource extends Context.Service<
  ShapeSource,
  {
    /**
     * The log of an instance from a checkpoint (or from the start). Runs until interrupted; interruption closes the request.
     * Pulling the next element is the acknowledgement of the last: at most the protocol's own prefetch runs ahead.
     */
    readonly changes: (
      instance: Instance,
      resume: Checkpoint | null,
    ) => Stream.Stream<SourceEvent, ShapeError>
    /**
     * The same log, handed to a listener. For sources that can wait without a fiber of their own: of thousands of instances nearly
     * all wait. Without it the engine runs `changes` in a fiber per instance.
     */
    readonly subscribe?: Subscribe
    /** While the scope is open, no request is begun: for ending many runs, each of which would hand its connection to the next. */
    readonly hold?: Effect.Effect<void, never, Scope.Scope>
    /** Connections now open, waiting, and allowed; `heldMillis` while the source leaves a failing origin alone, for how long. */
    readonly connections: () => {
      readonly open: number
      readonly waiting: number
      readonly max: number
      readonly heldMillis?: number
    }
    /** What holds back the next request of an instance, also of one that backs off and has no run; null when nothing does. */
    readonly waits?: (key: InstanceKey) => SourceWait | null
    /** Whether somebody looks at this instance: it is served before others. Holds for later runs of the key too. */
    readonly prefer?: (key: InstanceKey, leased: boolean) => void
    /** The last requests, oldest first; for a person who looks. A source without requests has none. */
    readonly requests?: () => ReadonlyArray<RequestEntry>
    /** The host slept: requests that are open are taken for dead and asked again, in turn. */
    readonly distrust?: () => void
  }
>()("@espalier/engine/ports/ShapeSource") {}
