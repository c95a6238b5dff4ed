/**
 * The engine's public service: what an app, a worker host or a test may ask of a running graph. `Engine.layer` starts the
 * reconciler in a scope; closing the scope leaves no fiber, timer or request behind.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { EngineStatus, Explanation, JournalEntry, PauseReason } from "./protocol/InstanceStatus.ts"
import type { StoreError } from "./ports/LocalStore.ts"

/** A counted, scoped demand for instances of a node; partial bindings demand all that match. */
export interface Lease {
  readonly node: string
  readonly bindings?: Readonly<Record<string, string>>
}

/** Local tables whose rows changed in one commit. */
export interface CommitNotice {
  readonly tables: ReadonlyArray<string>
}

export class Engine extends Context.Service<
  Engine,
  {
    readonly status: Effect.Effect<EngineStatus>
    /** Current status first, then changes, at most one per `statusIntervalMillis`; slow readers see the newest only. */
    readonly statusChanges: Stream.Stream<EngineStatus>
    readonly commits: Stream.Stream<CommitNotice>
    readonly acquire: (lease: Lease) => Effect.Effect<void, never, Scope.Scope>
    /** False when no such instance. */
    readonly retry: (key: string) => Effect.Effect<boolean>
    readonly refetch: (key: string) => Effect.Effect<boolean>
    readonly pause: (reason: PauseReason) => Effect.Effect<void>
    readonly resume: (reason: PauseReason) => Effect.Effect<void>
    readonly explain: (key: string) => Effect.Effect<Explanation>
    readonly holders: (
      table: string,
      primaryKey: ReadonlyArray<string>,
    ) => Effect.Effect<ReadonlyArray<string>, StoreError>
    readonly journal: Effect.Effect<ReadonlyArray<JournalEntry>>
    /** Stops everything, then removes every row and instance from the store. */
    readonly wipe: Effect.Effect<void, StoreError>
  }
>()("@espalier/engine/Engine") {}
