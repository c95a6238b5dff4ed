/**
 * One engine of a simulated world from its start to its end: built over a guarded store and a model source, closed with a scope, and
 * checked for what it left. Used by the simulation only.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Engine } from "../../Engine.ts"
import type { GraphData } from "../../graph/Graph.ts"
import { EngineConfig, type EngineConfigShape } from "../../ports/EngineConfig.ts"
import { HostSignals } from "../../ports/HostSignals.ts"
import { LocalStore } from "../../ports/LocalStore.ts"
import { ShapeSource } from "../../ports/ShapeSource.ts"
import { modelSource, type ModelSourceOptions } from "../model/ModelSource.ts"
import type { Texts } from "../model/filters.ts"
import type { EngineWatch } from "./EngineWatch.ts"
import type { Report } from "./violations.ts"

export interface RunningEngine {
  readonly engine: Engine["Service"]
  readonly source: ShapeSource["Service"]
  readonly scope: Scope.Closeable
}

export interface StartOptions {
  readonly graph: GraphData
  readonly params: Texts
  readonly config: EngineConfigShape
  readonly source: ModelSourceOptions
  readonly store: LocalStore["Service"]
  readonly signals: HostSignals["Service"]
}

/** Starts an engine in a scope. Fails when its store cannot be read. */
export const startEngine = Effect.fnUntraced(function* (options: StartOptions, scope: Scope.Closeable) {
  const config = Layer.succeed(EngineConfig, options.config)
  const sources = yield* Layer.buildWithScope(Layer.provide(modelSource(options.source), config), scope)
  const layer = Engine.layer({ graph: options.graph, params: options.params }).pipe(
    Layer.provide(Layer.succeed(LocalStore, options.store)),
    Layer.provide(Layer.succeed(HostSignals, options.signals)),
    Layer.provide(Layer.succeedContext(sources)),
    Layer.provide(config),
  )
  const engine = Context.get(yield* Layer.buildWithScope(layer, scope), Engine)
  const running: RunningEngine = { engine, source: Context.get(sources, ShapeSource), scope }
  return running
})

/** What an engine decided and why, a line each; times are since `startMillis`. */
export const journalLines = (
  engine: Engine["Service"],
  startMillis: number,
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(engine.journal, (entries) =>
    entries.map(
      ({ at, detail, event, key }) => `  journal ${at - startMillis} ${key ?? "-"} ${event} ${detail}`,
    ),
  )

/** Reports what a closed engine left behind. */
export const checkNothingLeft = ({ source }: RunningEngine, watch: EngineWatch, report: Report): void => {
  const { open, waiting } = source.connections()
  const runs = watch.running.length
  const requests = watch.openRequests
  if (runs + requests + open + waiting > 0)
    report("nothing-left", `${runs} runs, ${requests} requests, ${open} slots held and ${waiting} waited for`)
}
