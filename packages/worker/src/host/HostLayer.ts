/**
 * Wires the engine from the settings a tab handed over: store on the open database, source by HTTP, signals
 * from browser and tabs, limits from the settings. The only file that knows which adapters the browser uses.
 * Used by `startHost`.
 */
import {
  Credentials,
  defaultEngineConfig,
  Engine,
  EngineConfig,
  HostSignals,
  type LocalStore,
  makeCredentials,
  type StoreError,
} from "@espalier/engine"
import { ElectricShapeSource } from "@espalier/engine/electric"
import type { Graph } from "@espalier/engine/graph"
import { PgliteLocalStore } from "@espalier/engine/pglite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { HostSettings } from "../contract.ts"
import { HostEnvironment } from "./HostEnvironment.ts"
import type { OpenDatabase } from "./startHost.ts"
import { TabServer } from "./TabServer.ts"

/** A graph that was decoded and found valid. */
export type ValidGraph = Graph.Graph

/** Online as the browser says, visible as the tabs say: any visible tab counts. */
export const hostSignals: Layer.Layer<HostSignals, never, HostEnvironment | TabServer> = Layer.effect(
  HostSignals,
  Effect.gen(function* () {
    const environment = yield* HostEnvironment
    const tabs = yield* TabServer
    return HostSignals.of({
      changes: Stream.zipLatestWith(environment.online, tabs.visible, (online, visible) => ({
        online,
        visible,
      })),
    })
  }),
)

/** The store on an open database; building it brings the schema up to date. */
export const storeLayer = (
  graph: ValidGraph,
  { flushSoon, pglite, syncToFs }: OpenDatabase,
): Layer.Layer<LocalStore, StoreError> =>
  PgliteLocalStore.layer({
    pglite: {
      transaction: pglite.transaction.bind(pglite),
      execProtocol: pglite.execProtocol.bind(pglite),
      _runExclusiveTransaction: pglite._runExclusiveTransaction.bind(pglite),
      syncToFs,
      ...(flushSoon === undefined ? {} : { flushSoon }),
    },
    graph,
  })

/** The engine on a store. */
export const engineLayer = (
  settings: HostSettings,
  graph: ValidGraph,
): Layer.Layer<Engine, StoreError, LocalStore | HostEnvironment | TabServer> =>
  Engine.layer({ graph, params: settings.params }).pipe(
    Layer.provide(Layer.mergeAll(ElectricShapeSource.layer(settings.source), hostSignals)),
    Layer.provideMerge(Layer.effect(Credentials, makeCredentials({}))),
    Layer.provide(Layer.succeed(EngineConfig, { ...defaultEngineConfig, ...settings.config })),
  )
