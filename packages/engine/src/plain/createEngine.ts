/**
 * The engine for people who do not use Effect: promises, async iterables, `AbortSignal`, `using`. A thin skin over the
 * `Engine` service in a runtime of its own; it decides nothing. Called by applications, scripts and servers; the worker and
 * the test kit use the service itself.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ElectricOptions } from "../adapters/electric/ElectricShapeSource.ts"
import * as ElectricShapeSource from "../adapters/electric/ElectricShapeSource.ts"
import { PgliteLocalStore } from "../adapters/pglite/PgliteLocalStore.ts"
import type { PgliteDatabase } from "../adapters/pglite/transactions.ts"
import { Engine } from "../Engine.ts"
import type { GraphData } from "../graph/Graph.ts"
import { defaultEngineConfig, EngineConfig, type EngineConfigShape } from "../ports/EngineConfig.ts"
import { type HostSignal, HostSignals } from "../ports/HostSignals.ts"
import type { LocalStore, StoreError } from "../ports/LocalStore.ts"
import type { ShapeSource } from "../ports/ShapeSource.ts"
import type {
  EngineStatus,
  Explanation,
  JournalEntry,
  PauseReason,
  RowExplanation,
} from "../protocol/InstanceStatus.ts"
import type { CommitNotice, Lease } from "../protocol/Lease.ts"
import * as EngineMetrics from "../observe/metrics.ts"
import { hostSignalsOf, stopWith } from "./signals.ts"

/** Where shapes come from: an address, or a layer of your own (a fake, a simulator). */
export type SourceOption =
  | (Omit<ElectricOptions, "headers"> & {
      /** Headers of each request, asked anew every time, so that a refreshed token is used at once. */
      readonly headers?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
    })
  | { readonly layer: Layer.Layer<ShapeSource> }

/** Where rows go: an open PGlite, which the engine never closes, or a layer of your own. */
export type StoreOption =
  | { readonly pglite: PgliteDatabase }
  | { readonly layer: Layer.Layer<LocalStore, StoreError> }

export interface CreateEngineOptions {
  readonly graph: GraphData
  /** All graph parameters as Postgres text. */
  readonly params: Readonly<Record<string, string>>
  readonly source: SourceOption
  readonly store: StoreOption
  /** Limits to change; the others keep their defaults. */
  readonly limits?: Partial<EngineConfigShape>
  /** Whether the host is online and visible, whenever that changes. Default: always. */
  readonly host?: AsyncIterable<HostSignal>
  /** A tracer, a metrics exporter. Runs as long as the engine; when given, the engine's metrics are kept as well. */
  readonly observe?: Layer.Layer<never>
  /** Closes the engine when aborted. */
  readonly signal?: AbortSignal
}

/** Ends an iteration or a wait when aborted. */
export interface Abortable {
  readonly signal?: AbortSignal
}

/** Ends with `release()`, with `using`, or with the signal it was given; ending it twice does nothing. */
export interface Releasable extends Disposable {
  readonly release: () => void
}

/** A running engine. Promises reject with the engine's own errors (`StoreError`, `CompileError`). */
export interface PlainEngine extends AsyncDisposable {
  /** The status as of now. */
  readonly status: () => EngineStatus
  /** Current status first, then changes, at most one per `statusIntervalMillis`; a slow reader sees the newest only. */
  readonly statusChanges: (options?: Abortable) => AsyncIterable<EngineStatus>
  /** The first status that satisfies `holds`. Rejects when the signal is aborted or the engine closes before. */
  readonly until: (holds: (status: EngineStatus) => boolean, options?: Abortable) => Promise<EngineStatus>
  /** One notice per commit that changed rows. */
  readonly commits: (options?: Abortable) => AsyncIterable<CommitNotice>
  /** Demands instances until released; then they are kept for their node's `keepForMillis`. */
  readonly acquire: (lease: Lease, options?: Abortable) => Releasable
  /** Changes client parameters; see `Engine.setParams`. */
  readonly setParams: (params: Readonly<Record<string, string>>) => Promise<void>
  /** Tries a failed or halted instance again now. False when there is no such instance. */
  readonly retry: (key: string) => Promise<boolean>
  /** Fetches an instance anew, old rows staying readable until the swap. False when there is no such instance. */
  readonly refetch: (key: string) => Promise<boolean>
  /** Holds everything for a named, counted reason until released. Default reason: `manual`. */
  readonly pause: (reason?: PauseReason) => Releasable
  /** Why an instance is (not) here, what it waits for and what comes next. */
  readonly explain: (key: string) => Explanation
  /** Which instances hold a row; `primaryKey` as Postgres text. */
  readonly explainRow: (table: string, primaryKey: ReadonlyArray<string>) => Promise<RowExplanation>
  /** What the engine decided, newest last. */
  readonly journal: () => ReadonlyArray<JournalEntry>
  /** Stops everything, then removes every row and instance from the store. The engine stays stopped. */
  readonly wipe: () => Promise<void>
  /** Ends every request, timer and iteration. The same as leaving `await using`. */
  readonly close: () => Promise<void>
}

const sourceLayer = (source: SourceOption): Layer.Layer<ShapeSource> =>
  "layer" in source ? source.layer : ElectricShapeSource.layer(source)

const engineLayer = (options: CreateEngineOptions) => {
  const { graph, params, store } = options
  const rows = "layer" in store ? store.layer : PgliteLocalStore.layer({ pglite: store.pglite, graph })
  const host = options.host === undefined ? HostSignals.alwaysOnline : hostSignalsOf(options.host)
  const engine = Engine.layer({ graph, params }).pipe(
    Layer.provide(rows),
    Layer.provide(sourceLayer(options.source)),
    Layer.provide(Layer.succeed(HostSignals, host)),
    Layer.provide(Layer.succeed(EngineConfig, { ...defaultEngineConfig, ...options.limits })),
  )
  if (options.observe === undefined) return engine
  return EngineMetrics.layer.pipe(Layer.provideMerge(engine), Layer.provide(options.observe))
}

/** Starts an engine. Rejects when the store cannot be opened or read; what goes wrong later is in the status. */
export const createEngine = async (options: CreateEngineOptions): Promise<PlainEngine> => {
  options.signal?.throwIfAborted()
  const runtime = ManagedRuntime.make(engineLayer(options))
  try {
    const { signal } = options
    const engine = await runtime.runPromise(Engine, signal === undefined ? {} : { signal })
    const plain = plainEngine(engine, runtime)
    signal?.addEventListener("abort", () => void plain.close(), { once: true })
    return plain
  } catch (cause) {
    await runtime.dispose()
    throw cause
  }
}

type Runtime = ManagedRuntime.ManagedRuntime<Engine, StoreError>

/** Runs a scoped acquisition now and hands out its end. */
const releasable = (
  runtime: Runtime,
  acquire: Effect.Effect<void, never, Scope.Scope>,
  signal: AbortSignal | undefined,
): Releasable => {
  const scope = runtime.runSync(Scope.make())
  const release = (): void => {
    signal?.removeEventListener("abort", release)
    runtime.runFork(Scope.close(scope, Exit.void))
  }
  runtime.runSync(Scope.provide(acquire, scope))
  if (signal?.aborted === true) release()
  else signal?.addEventListener("abort", release, { once: true })
  return { release, [Symbol.dispose]: release }
}

const plainEngine = (engine: Engine["Service"], runtime: Runtime): PlainEngine => {
  const closing = new AbortController()
  let closed: Promise<void> | null = null
  const close = (): Promise<void> => {
    closing.abort(new Error("the engine was closed"))
    closed ??= runtime.dispose()
    return closed
  }
  const iterate = <Item>(stream: Stream.Stream<Item>, options?: Abortable): AsyncIterable<Item> =>
    Stream.toAsyncIterable(stopWith(stopWith(stream, closing.signal), options?.signal))
  const until: PlainEngine["until"] = async (holds, options) => {
    for await (const status of iterate(engine.statusChanges, options)) if (holds(status)) return status
    options?.signal?.throwIfAborted()
    throw closing.signal.reason
  }
  return {
    status: () => runtime.runSync(engine.status),
    statusChanges: (abortable) => iterate(engine.statusChanges, abortable),
    until,
    commits: (abortable) => iterate(engine.commits, abortable),
    acquire: (lease, abortable) => releasable(runtime, engine.acquire(lease), abortable?.signal),
    setParams: (params) => runtime.runPromise(engine.setParams(params)),
    retry: (key) => runtime.runPromise(engine.retry(key)),
    refetch: (key) => runtime.runPromise(engine.refetch(key)),
    pause: (reason = "manual") =>
      releasable(
        runtime,
        Effect.acquireRelease(engine.pause(reason), () => engine.resume(reason)),
        undefined,
      ),
    explain: (key) => runtime.runSync(engine.explain(key)),
    explainRow: (table, primaryKey) => runtime.runPromise(engine.explainRow(table, primaryKey)),
    journal: () => runtime.runSync(engine.journal),
    wipe: () => runtime.runPromise(engine.wipe),
    close,
    [Symbol.asyncDispose]: close,
  }
}
