/**
 * Stands between an engine and its store: fails calls as ordered, dies at the n-th write, and lets a watch look at the store before
 * and after every write. Exists so that the memory store and the PGlite store meet the same faults. After a death nothing
 * returns to the engine of that time, as after a real one.
 */
import * as Effect from "effect/Effect"
import type { FailureMoment, StoreOperation } from "../../adapters/memory/MemoryLocalStore.ts"
import { type CommitResult, type InstanceCommit, LocalStore, StoreError } from "../../ports/LocalStore.ts"
import type { TextRow } from "../../protocol/Message.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"

/** A store under simulation, and the ways to look at it and to kill it. */
export interface SimStore {
  /** The store as it is open now. */
  readonly store: () => LocalStore["Service"]
  /** The readable rows of a local table as Postgres text. */
  readonly rows: (table: string) => Effect.Effect<ReadonlyArray<TextRow>, unknown>
  /** The process died: opens again what was durable. */
  readonly reopen: Effect.Effect<void, unknown>
}

/** Looks at the store around every write; must not change it. */
export interface StoreWatch {
  readonly beforeCommit: (shares: ReadonlyArray<InstanceCommit>) => Effect.Effect<void, unknown>
  readonly afterCommit: (
    shares: ReadonlyArray<InstanceCommit>,
    result: CommitResult,
  ) => Effect.Effect<void, unknown>
  /** The engine is told that these shares are committed. */
  readonly acknowledged: (shares: ReadonlyArray<InstanceCommit>) => void
  readonly afterCollect: (
    keys: ReadonlyArray<InstanceKey>,
    result: CommitResult,
  ) => Effect.Effect<void, unknown>
  readonly afterDiscard: (key: InstanceKey) => Effect.Effect<void, unknown>
  readonly afterWipe: Effect.Effect<void, unknown>
}

interface Ordered {
  readonly operation: FaultyOperation
  readonly kind: StoreError["kind"]
  readonly moment: FailureMoment
}

/** What an ordered failure strikes: a write by name, or the next read of any kind. */
export type FaultyOperation = "commit" | "collect" | "discardStage" | "wipe" | "read"

const writes: ReadonlySet<StoreOperation> = new Set(["commit", "collect", "discardStage", "wipe"])

const committed = (
  shares: ReadonlyArray<InstanceCommit>,
  { outcomes }: CommitResult,
): ReadonlyArray<InstanceCommit> => {
  const keys = new Set(outcomes.filter(({ _tag }) => _tag === "Committed").map(({ key }) => key))
  return shares.filter(({ instance }) => keys.has(instance.key))
}

export class GuardedStore {
  readonly #inner: SimStore
  readonly #watch: StoreWatch
  /** Holds virtual time still while a real database works. */
  readonly #outside: <A, E>(operation: Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly #failures: Array<Ordered> = []
  #kill: { left: number; readonly moment: FailureMoment } | null = null
  #generation = 0
  /** The process died at a write and was not started again yet. */
  isDead = false
  deaths = 0
  failed = 0

  constructor(
    inner: SimStore,
    watch: StoreWatch,
    outside: <A, E>(operation: Effect.Effect<A, E>) => Effect.Effect<A, E>,
  ) {
    this.#inner = inner
    this.#watch = watch
    this.#outside = outside
  }

  failNext(operation: FaultyOperation, kind: StoreError["kind"], moment: FailureMoment): void {
    this.#failures.push({ operation, kind, moment })
  }

  killAt(write: number, moment: FailureMoment): void {
    this.#kill = { left: write, moment }
  }

  /** No more trouble. */
  heal(): void {
    this.#failures.length = 0
    this.#kill = null
  }

  /** The store for the next engine; the one before it never hears from its store again. */
  open(): LocalStore["Service"] {
    this.isDead = false
    this.#generation++
    const generation = this.#generation
    const guard = <A>(
      operation: StoreOperation,
      call: Effect.Effect<A, StoreError>,
      look: (value: A) => Effect.Effect<void, unknown> = () => Effect.void,
    ): Effect.Effect<A, StoreError> => Effect.suspend(() => this.#call(generation, operation, call, look))
    const inner = this.#inner.store()
    const watch = this.#watch
    return LocalStore.of({
      ...guardAll(inner, guard),
      commit: (shares) =>
        guard(
          "commit",
          Effect.andThen(Effect.orDie(watch.beforeCommit(shares)), inner.commit(shares)),
          (result) => watch.afterCommit(shares, result),
        ).pipe(Effect.tap((result) => Effect.sync(() => watch.acknowledged(committed(shares, result))))),
      collect: (keys) => guard("collect", inner.collect(keys), (result) => watch.afterCollect(keys, result)),
      discardStage: (key) => guard("discardStage", inner.discardStage(key), () => watch.afterDiscard(key)),
      wipe: guard("wipe", inner.wipe, () => watch.afterWipe),
    })
  }

  /** Nothing that an engine opened before now does reaches the store any more. */
  bury(): void {
    this.#generation++
    this.isDead = false
  }

  #call<A>(
    generation: number,
    operation: StoreOperation,
    call: Effect.Effect<A, StoreError>,
    look: (value: A) => Effect.Effect<void, unknown>,
  ): Effect.Effect<A, StoreError> {
    if (generation !== this.#generation || this.isDead) return Effect.never
    const failure = this.#takeFailure(operation)
    const death = this.#takeDeath(operation)
    if (death === "before") return this.#die
    if (failure?.moment === "before") return this.#fail(failure)
    const done = this.#outside(Effect.tap(call, (value) => Effect.orDie(look(value))))
    if (death === "after") return Effect.andThen(done, this.#die)
    return failure === null ? done : Effect.andThen(done, this.#fail(failure))
  }

  #takeFailure(operation: StoreOperation): Ordered | null {
    const name = writes.has(operation) ? operation : "read"
    const index = this.#failures.findIndex((ordered) => ordered.operation === name)
    return index === -1 ? null : (this.#failures.splice(index, 1)[0] ?? null)
  }

  #takeDeath(operation: StoreOperation): FailureMoment | null {
    const kill = this.#kill
    if (kill === null || !writes.has(operation)) return null
    kill.left--
    if (kill.left > 0) return null
    this.#kill = null
    return kill.moment
  }

  readonly #die = Effect.suspend(() => {
    this.isDead = true
    this.deaths++
    return Effect.never
  })

  #fail({ kind, operation }: Ordered): Effect.Effect<never, StoreError> {
    return Effect.suspend(() => {
      this.failed++
      return Effect.fail(
        new StoreError({ operation, kind, cause: new Error("the simulation ordered this failure") }),
      )
    })
  }
}

type Guard = <A>(
  operation: StoreOperation,
  call: Effect.Effect<A, StoreError>,
) => Effect.Effect<A, StoreError>

/** Every operation of the port under guard, whichever there are. */
const guardAll = (inner: LocalStore["Service"], guard: Guard): LocalStore["Service"] =>
  Object.fromEntries(
    Object.entries(inner).map(([name, member]) => {
      const operation = name as StoreOperation
      const call = member as
        | Effect.Effect<unknown, StoreError>
        | ((...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, StoreError>)
      return Effect.isEffect(call)
        ? [name, guard(operation, call)]
        : [name, (...args: ReadonlyArray<unknown>) => Effect.suspend(() => guard(operation, call(...args)))]
    }),
  ) as unknown as LocalStore["Service"]
