/**
 * What happens in a simulated run, as plain data: one plan holds the world's settings and the events in order. Exists so that a run
 * can be generated from a seed, written down, shortened and replayed. Every event means something whatever came before it, so that
 * leaving one out never makes another one invalid. Types only.
 */
import type { FailureMoment } from "../../adapters/memory/MemoryLocalStore.ts"
import type { EngineConfigShape } from "../../ports/EngineConfig.ts"
import type { StoreError } from "../../ports/LocalStore.ts"
import type { PauseReason } from "../../protocol/InstanceStatus.ts"
import type { Lease } from "../../protocol/Lease.ts"
import type { Fault } from "../model/faults.ts"
import type { Write } from "../model/ModelDatabase.ts"
import type { Texts } from "../model/filters.ts"
import type { FaultyOperation } from "./GuardedStore.ts"
import type { ModelServerOptions } from "../model/ModelServer.ts"

export type SimEvent =
  /** A transaction commits on the server; `late`: under the id of one that began earlier. */
  | { readonly _tag: "Commit"; readonly writes: ReadonlyArray<Write>; readonly late?: boolean }
  /** A transaction begins that commits later. */
  | { readonly _tag: "Begin" }
  | { readonly _tag: "Advance"; readonly millis: number }
  | {
      readonly _tag: "Fault"
      readonly fault: Fault
      /** Share of the requests it strikes, 0 to 1. */
      readonly share: number
      readonly forMillis: number
      readonly node?: string
    }
  /** The handles of a table's shapes are void, as after a TRUNCATE or a change of its columns; no table: all. */
  | { readonly _tag: "Rotate"; readonly table?: string }
  /** A release changes a table's columns: its handles are void, and for a while the gateway refuses the clients' definitions (412). */
  | { readonly _tag: "SchemaChange"; readonly table: string; readonly newerMillis: number }
  | { readonly _tag: "ServerRestart"; readonly downMillis: number }
  /** 401 until a person signs in again. */
  | { readonly _tag: "TokenExpired"; readonly forMillis: number }
  | { readonly _tag: "Lease"; readonly id: number; readonly lease: Lease }
  | { readonly _tag: "Unlease"; readonly id: number }
  | { readonly _tag: "Pause"; readonly reason: PauseReason }
  | { readonly _tag: "Resume"; readonly reason: PauseReason }
  | { readonly _tag: "Host"; readonly online: boolean; readonly visible: boolean }
  /** A person presses retry (or refetch) on the instance at this index among the known ones. */
  | { readonly _tag: "Retry"; readonly index: number }
  | { readonly _tag: "Refetch"; readonly index: number }
  /** The process dies at the n-th store write from here, before or after it became durable, and starts again. */
  | { readonly _tag: "Kill"; readonly atWrite: number; readonly moment: FailureMoment }
  | {
      readonly _tag: "StoreFault"
      readonly operation: FaultyOperation
      readonly kind: StoreError["kind"]
      readonly moment: FailureMoment
    }
  /** The leader closes in good order and another one takes over, perhaps with other client parameters. */
  | { readonly _tag: "HandOver"; readonly params?: Texts }
  /** The route changes: other client parameters while the engine runs. Names that are not the client's to choose are left out. */
  | { readonly _tag: "Params"; readonly params: Texts }
  /** The machine slept: the clock is later at once. */
  | { readonly _tag: "ClockJump"; readonly millis: number }
  /** Sign-out, then sign-in on the same database. */
  | { readonly _tag: "Wipe" }

/** Everything of a run that its seed decides. */
export interface Plan {
  readonly seed: number
  readonly server: Omit<ModelServerOptions, "graph" | "params">
  readonly source: { readonly prefetch: boolean; readonly signals: boolean }
  readonly config: Partial<EngineConfigShape>
  /** Rows the server has at the start. */
  readonly rows: ReadonlyArray<Write>
  readonly events: ReadonlyArray<SimEvent>
}
