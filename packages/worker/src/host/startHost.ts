/**
 * The start of the host, step by step, each announced to the tabs: data lock, database, schema, engine. A
 * step that fails ends in the phase `failed` with what to do, and the start then never returns: the tabs end
 * this worker. Called once per leader, by `main.ts`, inside PGliteWorker's `init`.
 */
import type { PGlite } from "@electric-sql/pglite"
import { defaultEngineConfig, Engine, type LocalStore, type StoreError } from "@espalier/engine"
import { Graph } from "@espalier/engine/graph"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { HostPhase, HostSettings } from "../contract.ts"
import { dataLock, type HostMeta } from "../protocol.ts"
import { HostEnvironment } from "./HostEnvironment.ts"
import type { ValidGraph } from "./HostLayer.ts"
import { type BackendChoice, chooseBackend } from "./storage/backend.ts"
import { watchRefusals } from "./storage/evictions.ts"
import { canQuarantine, type Opened, openStorage, rebuild, type StorageParts } from "./storage/openStorage.ts"
import { watchStorage } from "./storage/StorageWatch.ts"
import { TabServer } from "./TabServer.ts"

/** How long a leader waits for a predecessor's hold on the data directory, which ends with its worker. */
const dataLockWaitMillis = 10_000

/** The start cannot go on; the message is what the tabs show. */
export class StartFailed extends Data.TaggedError("StartFailed")<{ readonly message: string }> {}

/** An open database, and its storage. */
export interface OpenDatabase {
  readonly pglite: PGlite
  /** Ends when everything written before it is stored. */
  readonly syncToFs: () => Promise<void>
  /** Absent: every commit is flushed by `syncToFs`. */
  readonly flushSoon?: (bytes: number) => Promise<void>
  /** Lets go of the storage as it is: it is damaged and will be moved aside. */
  readonly abandon?: () => void
  /** Removes everything that lasts, files included; what is open goes on in memory. Absent where that cannot be done. */
  readonly destroy?: () => Promise<void>
}

/** How a database is opened. */
export interface OpenOptions {
  readonly durability: "relaxed" | "strict"
  /** Told how each flush ended: null, or its error. */
  readonly flushed: (error: unknown) => void
}

/** What the start is made of; tests replace parts of it. */
export interface HostParts extends StorageParts {
  readonly store: (graph: ValidGraph, database: OpenDatabase) => Layer.Layer<LocalStore, StoreError>
  readonly engine: (
    settings: HostSettings,
    graph: ValidGraph,
  ) => Layer.Layer<Engine, StoreError, LocalStore | HostEnvironment | TabServer>
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const failed = (message: string) => new StartFailed({ message })

const checkConfig = (settings: HostSettings): Effect.Effect<void, StartFailed> => {
  const wrong = Object.entries(settings.config ?? {}).filter(
    ([name, value]) => !Object.hasOwn(defaultEngineConfig, name) || !Number.isFinite(value) || value < 0,
  )
  if (wrong.length === 0) return Effect.void
  return Effect.fail(
    failed(
      `Wrong engine settings: ${wrong.map(([name, value]) => `${name} = ${value}`).join(", ")}. ` +
        `Known names: ${Object.keys(defaultEngineConfig).join(", ")}; values are numbers, not negative.`,
    ),
  )
}

const decodeGraph = (settings: HostSettings): Effect.Effect<ValidGraph, StartFailed> =>
  Effect.try({
    try: () => Graph.fromJson(settings.graph),
    catch: (error) => failed(`The graph handed to the worker is not valid. ${textOf(error)}`),
  })

const chooseStorage = Effect.fnUntraced(function* (dataDir: string) {
  const environment = yield* HostEnvironment
  const choice = yield* Effect.promise(() => chooseBackend(dataDir, environment.probeStorage))
  if (choice !== null) return choice
  return yield* failed(
    `The data directory ${dataDir} names no storage. Use auto://name, idb://name, opfs-ahp://name or memory://.`,
  )
})

const claimData = Effect.fnUntraced(function* ({ backend, dataDir }: BackendChoice) {
  if (backend === "memory") return
  const environment = yield* HostEnvironment
  if (yield* environment.holdLock(dataLock(dataDir), dataLockWaitMillis)) return
  return yield* failed(
    `The data directory ${dataDir} is open under another name in another tab. Use one name per directory, or close that tab.`,
  )
})

const opening = ({ dataDir }: BackendChoice, opened: Effect.Effect<Opened, string>) =>
  Effect.mapError(opened, (cause) =>
    failed(
      `The database ${dataDir} did not open: ${cause}. ` +
        "If storage is full or damaged, free space or clear this site's data; rows will be fetched again.",
    ),
  )

/** What the app declared, or a full disk, would be the same with a new database. */
const isDamage = (error: StoreError): boolean => error.kind === "corrupt" || error.kind === "unavailable"

/** The store on an opened database; a database whose schema cannot be read counts as damaged. */
const openStore = Effect.fnUntraced(function* (
  parts: HostParts,
  graph: ValidGraph,
  opened: Opened,
  options: OpenOptions,
) {
  const first = yield* Effect.result(Layer.build(parts.store(graph, opened.database)))
  if (first._tag === "Success") return { opened, store: first.success }
  if (!isDamage(first.failure) || !canQuarantine(opened.choice) || opened.quarantined !== null)
    return yield* Effect.fail(first.failure)
  opened.database.abandon?.()
  const again = yield* opening(opened.choice, rebuild(parts, opened.choice, options, first.failure.message))
  return { opened: again, store: yield* Layer.build(parts.store(graph, again.database)) }
})

/** Everything that can fail. The layers live in the runtime's scope, so they outlive this effect. */
const bringUp = Effect.fnUntraced(function* (settings: HostSettings, parts: HostParts) {
  const tabs = yield* TabServer
  const step = (name: "database" | "schema" | "engine") => tabs.setPhase({ phase: "starting", step: name })
  yield* checkConfig(settings)
  const graph = yield* decodeGraph(settings)
  yield* step("database")
  const choice = yield* chooseStorage(settings.dataDir)
  yield* claimData(choice)
  // Only IndexedDB can be stored behind commits: a file system's handles are flushed with each, and memory is never stored.
  const asked = settings.durability ?? "strict"
  const durability = choice.backend === "idb" ? asked : choice.backend === "opfs" ? "strict" : "relaxed"
  const storage = yield* watchStorage(choice, durability)
  const options: OpenOptions = { durability, flushed: storage.flushed }
  const found = yield* opening(choice, openStorage(parts, choice, options))
  yield* step("schema")
  const { opened, store } = yield* openStore(parts, graph, found, options)
  const { database } = opened
  yield* storage.moved(opened.choice, opened.quarantined)
  yield* step("engine")
  // Every tab has said hello by now, so the engine starts with what was chosen under the leader before.
  const params = yield* tabs.params
  const engine = yield* Layer.build(parts.engine({ ...settings, params }, graph)).pipe(
    Effect.provideContext(store),
  )
  yield* Effect.provideContext(
    Effect.flatMap(Engine, (service) =>
      Effect.andThen(
        tabs.serve(service, {
          flush: Effect.tryPromise(() => database.syncToFs()),
          destroy: Effect.tryPromise(() => database.destroy?.() ?? Promise.resolve()),
        }),
        watchRefusals(service, graph, storage),
      ),
    ),
    engine,
  )
  yield* tabs.setPhase({ phase: "ready" })
  return database.pglite
})

/**
 * Never fails and, after a failure, never ends: rejecting would only make PGliteWorker log once per poll of
 * every tab.
 */
const announceFailure = (cause: Cause.Cause<unknown>) =>
  Effect.flatMap(TabServer, (tabs) => {
    const phase: HostPhase = { phase: "failed", message: textOf(Cause.squash(cause)) }
    return Effect.andThen(tabs.setPhase(phase), Effect.never)
  })

/** A host that runs, and how to end it (tests; a worker is simply terminated). */
export interface RunningHost {
  /** The open database; pends for ever when the start failed. */
  readonly database: Promise<PGlite>
  readonly dispose: () => Promise<void>
}

/** Starts the host of one leader in one runtime. */
export const startHost = (
  meta: HostMeta,
  parts: HostParts,
  environment: HostEnvironment["Service"],
  epoch: string,
): RunningHost => {
  const base = TabServer.layer(meta, epoch).pipe(
    Layer.provideMerge(Layer.succeed(HostEnvironment, environment)),
  )
  const scope = Scope.makeUnsafe()
  const disposed = new AbortController()
  // By hand: a managed runtime would cost the bundle more than these lines.
  const program = Layer.buildWithScope(base, scope).pipe(
    Effect.flatMap((services) =>
      bringUp(meta.settings, parts).pipe(Effect.catchCause(announceFailure), Effect.provideContext(services)),
    ),
    Effect.provideService(Scope.Scope, scope),
  )
  const database = Effect.runPromise(program, { signal: disposed.signal })
  // Disposing interrupts a start that failed or is under way; whoever waits for the database still sees that.
  database.catch(() => undefined)
  const dispose = (): Promise<void> => {
    disposed.abort()
    return Effect.runPromise(Scope.close(scope, Exit.void))
  }
  return { database, dispose }
}
