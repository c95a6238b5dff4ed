/**
 * The engine's public service: what an app, a worker host or a test may ask of a running graph. `Engine.layer` starts the
 * reconciler in a scope; closing the scope leaves no fiber, timer or request behind.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { HostSignals } from "./ports/HostSignals.ts"
import type { LocalStore, StoreError } from "./ports/LocalStore.ts"
import type { ShapeSource } from "./ports/ShapeSource.ts"
import type { CompileError } from "./protocol/CompileError.ts"
import type {
  EngineStatus,
  Explanation,
  JournalEntry,
  PauseReason,
  RowExplanation,
} from "./protocol/InstanceStatus.ts"
import type { CommitNotice, Lease } from "./protocol/Lease.ts"
import type { RequestEntry } from "./protocol/RequestEntry.ts"
import { explain, explainRow } from "./reconciler/explain.ts"
import type { Input } from "./reconciler/Input.ts"
import { make, type Reconciler, type ReconcilerOptions } from "./reconciler/Reconciler.ts"

export type { CommitNotice, Lease } from "./protocol/Lease.ts"
export type { ReconcilerOptions as EngineOptions } from "./reconciler/Reconciler.ts"

const ask = Effect.fnUntraced(function* (
  reconciler: Reconciler,
  tag: "Retry" | "Refetch" | "Evict",
  key: string,
) {
  const known = yield* Deferred.make<boolean>()
  yield* Queue.offer(reconciler.inputs, { _tag: tag, key, known })
  return yield* Deferred.await(known)
})

const acquire = (reconciler: Reconciler, lease: Lease): Effect.Effect<void, never, Scope.Scope> => {
  // A copy, so that two equal leases are counted apart.
  const own: Lease = { ...lease }
  return Effect.acquireRelease(
    Effect.asVoid(Queue.offer(reconciler.inputs, { _tag: "Acquire", lease: own })),
    () => Queue.offer(reconciler.inputs, { _tag: "Release", lease: own }),
  )
}

const wipe = Effect.fnUntraced(function* (reconciler: Reconciler) {
  const done = yield* Deferred.make<void, StoreError>()
  yield* Queue.offer(reconciler.inputs, { _tag: "Wipe", done })
  return yield* Deferred.await(done)
})

const setParams = Effect.fnUntraced(function* (
  reconciler: Reconciler,
  params: Readonly<Record<string, string>>,
) {
  const done = yield* Deferred.make<void, CompileError>()
  yield* Queue.offer(reconciler.inputs, { _tag: "SetParams", params: { ...params }, done })
  return yield* Deferred.await(done)
})

export class Engine extends Context.Service<
  Engine,
  {
    readonly status: Effect.Effect<EngineStatus>
    /** Current status first, then changes, at most one per `statusIntervalMillis`; slow readers see the newest only. */
    readonly statusChanges: Stream.Stream<EngineStatus>
    /** One notice per commit that changed rows; a slow reader may miss the oldest of thousands. */
    readonly commits: Stream.Stream<CommitNotice>
    /** Demands instances until the scope closes; then they are kept for their node's `keepForMillis`. */
    readonly acquire: (lease: Lease) => Effect.Effect<void, never, Scope.Scope>
    /**
     * Changes parameters of source `client`, as Postgres text; those not named keep their values. What the old and the new desired
     * state share goes on untouched; the rest of the old one is kept for its node's `keepForMillis`. Returns when the change is
     * decided, not when the new rows are there. Fails when a name is unknown, belongs to the identity, or a value has another type.
     */
    readonly setParams: (params: Readonly<Record<string, string>>) => Effect.Effect<void, CompileError>
    /** Tries a failed or halted instance again now. False when no such instance. */
    readonly retry: (key: string) => Effect.Effect<boolean>
    /** Fetches an instance anew, old rows staying readable until the swap. False when no such instance. */
    readonly refetch: (key: string) => Effect.Effect<boolean>
    /**
     * Gives up the rows of an instance that is only kept, and of what hangs on it, to free space. False when there is no such
     * instance or it is desired.
     */
    readonly evict: (key: string) => Effect.Effect<boolean>
    /** Holds everything for a named, counted reason. */
    readonly pause: (reason: PauseReason) => Effect.Effect<void>
    /** Lifts one count of a reason; the last one resumes from the checkpoints. */
    readonly resume: (reason: PauseReason) => Effect.Effect<void>
    /** Why an instance is (not) here. */
    readonly explain: (key: string) => Effect.Effect<Explanation>
    /** Keys of the instances that hold a row; `primaryKey` as Postgres text. */
    readonly holders: (
      table: string,
      primaryKey: ReadonlyArray<string>,
    ) => Effect.Effect<ReadonlyArray<string>, StoreError>
    /** Where a row comes from: the instances that hold it, with why each is here. `primaryKey` as Postgres text. */
    readonly explainRow: (
      table: string,
      primaryKey: ReadonlyArray<string>,
    ) => Effect.Effect<RowExplanation, StoreError>
    /** Newest last. */
    readonly journal: Effect.Effect<ReadonlyArray<JournalEntry>>
    /** The last HTTP requests, oldest first, without secrets; none where the source makes none. */
    readonly requests: Effect.Effect<ReadonlyArray<RequestEntry>>
    /** Stops everything, then removes every row and instance from the store. The engine stays stopped. */
    readonly wipe: Effect.Effect<void, StoreError>
  }
>()("@espalier/engine/Engine") {
  /** A running engine. Needs a source, a store and host signals; limits come from `EngineConfig`. */
  static readonly layer = (
    options: ReconcilerOptions,
  ): Layer.Layer<Engine, StoreError, ShapeSource | LocalStore | HostSignals> =>
    Layer.effect(Engine, Effect.map(make(options), Engine.fromReconciler))

  private static readonly fromReconciler = (reconciler: Reconciler): Engine["Service"] => {
    const offer = (input: Input): Effect.Effect<void> => Effect.asVoid(Queue.offer(reconciler.inputs, input))
    return Engine.of({
      status: Effect.sync(reconciler.status),
      statusChanges: Stream.map(
        reconciler.published.changes(1, () => undefined),
        reconciler.status,
      ),
      commits: reconciler.commits.changes(reconciler.world.config.journalCapacity),
      acquire: (lease) => acquire(reconciler, lease),
      setParams: (params) => setParams(reconciler, params),
      retry: (key) => ask(reconciler, "Retry", key),
      refetch: (key) => ask(reconciler, "Refetch", key),
      evict: (key) => ask(reconciler, "Evict", key),
      pause: (reason) => offer({ _tag: "Pause", reason }),
      resume: (reason) => offer({ _tag: "Resume", reason }),
      explain: (key) =>
        Effect.map(Clock.currentTimeMillis, (now) =>
          explain(reconciler.world, key, { wait: reconciler.waits(key), now }),
        ),
      holders: reconciler.store.holders,
      explainRow: (table, primaryKey) =>
        Effect.map(reconciler.store.holders(table, primaryKey), (keys) =>
          explainRow(reconciler.world, table, primaryKey, keys),
        ),
      journal: Effect.sync(() => reconciler.world.journal.entries()),
      requests: Effect.sync(reconciler.requests),
      wipe: wipe(reconciler),
    })
  }
}
