/** What the reconciler's loop is told: by sources, by the host, and by people through the engine's service. */
import type * as Deferred from "effect/Deferred"
import type { HostSignal } from "../ports/HostSignals.ts"
import type { SourceSignal } from "../ports/ShapeSource.ts"
import type { StoreError } from "../ports/LocalStore.ts"
import type { CompileError } from "../protocol/CompileError.ts"
import type { PauseReason } from "../protocol/InstanceStatus.ts"
import type { Lease } from "../protocol/Lease.ts"
import type { ShapeError } from "../protocol/ShapeError.ts"
import type { Arrived } from "./World.ts"

export type Input =
  | { readonly _tag: "Arrived"; readonly key: string; readonly run: number; readonly arrived: Arrived }
  | { readonly _tag: "MustRefetch"; readonly key: string; readonly run: number }
  | {
      readonly _tag: "Signal"
      readonly key: string
      readonly run: number
      readonly signal: SourceSignal["signal"]
    }
  | { readonly _tag: "Ended"; readonly key: string; readonly run: number; readonly error: ShapeError }
  | { readonly _tag: "Host"; readonly signal: HostSignal }
  | { readonly _tag: "Acquire"; readonly lease: Lease }
  | { readonly _tag: "Release"; readonly lease: Lease }
  | { readonly _tag: "Pause"; readonly reason: PauseReason }
  | { readonly _tag: "Resume"; readonly reason: PauseReason }
  | { readonly _tag: "Retry"; readonly key: string; readonly known: Deferred.Deferred<boolean> }
  | { readonly _tag: "Refetch"; readonly key: string; readonly known: Deferred.Deferred<boolean> }
  | { readonly _tag: "Evict"; readonly key: string; readonly known: Deferred.Deferred<boolean> }
  | {
      readonly _tag: "SetParams"
      readonly params: Readonly<Record<string, string>>
      readonly done: Deferred.Deferred<void, CompileError>
    }
  | { readonly _tag: "Wipe"; readonly done: Deferred.Deferred<void, StoreError> }
  /** There are new credentials, or somebody asked to try the old ones again. */
  | { readonly _tag: "Credentials" }
  /** Nothing happened but time. */
  | { readonly _tag: "Wake" }
