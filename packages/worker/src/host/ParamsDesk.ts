/**
 * The client's parameters as this leader knows them: set by tabs, taken over from the leader before, announced to all. Exists so that
 * what was chosen last outlives the tab that chose it. Changes are taken one at a time, so that what is announced is what the
 * engine was told last. Used by `TabServer`.
 */
import type { Engine } from "@espalier/engine"
import type { CompileError } from "@espalier/engine/protocol"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { HostSettings } from "../contract.ts"
import { type ChosenParams, paramsOf } from "../protocol.ts"

type EngineService = Engine["Service"]

export interface ParamsDesk {
  readonly chosen: () => ChosenParams
  /** Tells the engine, then every tab. */
  readonly set: (
    engine: EngineService,
    params: Readonly<Record<string, string>>,
  ) => Effect.Effect<boolean, CompileError>
  /** What a tab heard from the leader before; kept for the engine when that has not started. Older than what is known: ignored. */
  readonly restore: (engine: EngineService | null, chosen: ChosenParams) => Effect.Effect<void>
  /** For an engine that starts now. */
  readonly take: () => ChosenParams["values"]
  /** Brings a started engine up to what was restored while it started. */
  readonly serve: (engine: EngineService) => Effect.Effect<void>
}

export const makeParamsDesk = (
  settings: HostSettings,
  announce: (chosen: ChosenParams) => void,
): ParamsDesk => {
  const turn = Semaphore.makeUnsafe(1)
  /** What the engine was told last. */
  let told: ChosenParams["values"] = {}
  let chosen: ChosenParams = { revision: 0, values: paramsOf(settings, "client") }
  const become = (next: ChosenParams): void => {
    chosen = next
    announce(next)
  }
  /** Tabs of the same graph chose these, so the engine takes them; were it otherwise, it keeps what it has and says so. */
  const tell = (engine: EngineService): Effect.Effect<void> =>
    Effect.suspend(() => {
      const before = told
      const values = chosen.values
      told = values
      return Object.keys(values).every((name) => values[name] === before[name])
        ? Effect.void
        : engine.setParams(values)
    }).pipe(Effect.catch((error) => Effect.logWarning(`restored parameters were refused: ${error.message}`)))
  return {
    chosen: () => chosen,
    set: (engine, params) =>
      engine.setParams(params).pipe(
        Effect.andThen(
          Effect.sync(() => {
            become({ revision: chosen.revision + 1, values: { ...chosen.values, ...params } })
            told = chosen.values
            return true
          }),
        ),
        turn.withPermits(1),
      ),
    restore: (engine, before) =>
      Effect.suspend(() => {
        if (before.revision < chosen.revision) return Effect.void
        become({ revision: before.revision + 1, values: before.values })
        return engine === null ? Effect.void : tell(engine)
      }).pipe(turn.withPermits(1)),
    take: () => (told = chosen.values),
    serve: (engine) => tell(engine).pipe(turn.withPermits(1)),
  }
}
