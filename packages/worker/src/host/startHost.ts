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
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { HostPhase, HostSettings } from "../contract.ts"
import { dataLock, type HostMeta } from "../protocol.ts"
import { HostEnvironment } from "./HostEnvironment.ts"
import type { ValidGraph } from "./HostLayer.ts"
import { type BackendChoice, chooseBackend } from "./storage/backend.ts"
import { type StorageWatch, watchStorage } from "./storage/StorageWatch.ts"
import { TabServer } from "./TabServer.ts"

/** How long a leader waits for a predecessor's hold on the data directory, which ends with its worker. */
const dataLockWaitMillis = 10_000

/** The start cannot go on; the message is what the tabs show. */
export class StartFailed extends Data.TaggedError("StartFailed")<{ readonly message: string }> {}

/** An open database, and a flush that ends when everything written before it is stored. */
export interface OpenDatabase {
  readonly pglite: PGlite
  readonly syncToFs: () => Promise<void>
}

/** What the start is made of; tests replace parts of it. */
export interface HostParts {
  readonly openDatabase: (dataDir: string) => Promise<OpenDatabase>
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

const openDatabase = (parts: HostParts, dataDir: string): Effect.Effect<OpenDatabase, StartFailed> =>
  Effect.tryPromise({
    try: () => parts.openDatabase(dataDir),
    catch: (error) =>
      failed(
        `The database ${dataDir} did not open: ${textOf(error)}. ` +
          "If storage is full or damaged, free space or clear this site's data; rows will be fetched again.",
      ),
  })

/** The engine pauses for storage when a write was refused, and goes on when one went through. */
const noteRefusals = (engine: Engine["Service"], storage: StorageWatch) =>
  engine.statusChanges.pipe(
    Stream.map(({ pauseReasons }) => pauseReasons.includes("storage")),
    Stream.changes,
    Stream.runForEach(storage.writeRefused),
    Effect.forkScoped,
  )

/** Everything that can fail. The layers live in the runtime's scope, so they outlive this effect. */
const bringUp = Effect.fnUntraced(function* (settings: HostSettings, parts: HostParts) {
  const tabs = yield* TabServer
  const step = (name: "database" | "schema" | "engine") => tabs.setPhase({ phase: "starting", step: name })
  yield* checkConfig(settings)
  const graph = yield* decodeGraph(settings)
  yield* step("database")
  const choice = yield* chooseStorage(settings.dataDir)
  yield* claimData(choice)
  const storage = yield* watchStorage(choice, choice.backend === "memory" ? "relaxed" : "strict")
  const database = yield* openDatabase(parts, choice.dataDir)
  yield* step("schema")
  const store = yield* Layer.build(parts.store(graph, database))
  yield* step("engine")
  // Every tab has said hello by now, so the engine starts with what was chosen under the leader before.
  const params = yield* tabs.params
  const engine = yield* Layer.build(parts.engine({ ...settings, params }, graph)).pipe(
    Effect.provideContext(store),
  )
  yield* Effect.provideContext(
    Effect.flatMap(Engine, (service) => Effect.andThen(tabs.serve(service), noteRefusals(service, storage))),
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
  const runtime = ManagedRuntime.make(base)
  const program = bringUp(meta.settings, parts).pipe(
    Effect.provideService(Scope.Scope, runtime.scope),
    Effect.catchCause(announceFailure),
  )
  const database = runtime.runPromise(program)
  // Disposing interrupts a start that failed or is under way; whoever waits for the database still sees that.
  database.catch(() => undefined)
  return { database, dispose: () => runtime.dispose() }
}
