/** The same engine as an Effect service, with its layers spelled out. `node packages/engine/examples/effect.ts` */
import { PGlite } from "@electric-sql/pglite"
import { Engine, EngineConfig, defaultEngineConfig, HostSignals } from "@espalier/engine"
import { ElectricShapeSource } from "@espalier/engine/electric"
import { PgliteLocalStore } from "@espalier/engine/pglite"
import { Console, Effect, Layer, Stream } from "effect"
import { graph } from "./teams.graph.ts"
import { tinyElectric } from "./tinyElectric.ts"

// #region layer
const database = Layer.unwrap(
  Effect.map(
    Effect.promise(() => PGlite.create()),
    (pglite) => PgliteLocalStore.layer({ pglite, graph }),
  ),
)
const engine = Engine.layer({ graph, params: { userId: "ada", teamId: "red" } }).pipe(
  Layer.provide(database),
  Layer.provide(
    ElectricShapeSource.layer({ url: "http://localhost/v1/shape", kind: "electric", fetch: tinyElectric }),
  ),
  Layer.provide(Layer.succeed(HostSignals, HostSignals.alwaysOnline)),
  Layer.provide(Layer.succeed(EngineConfig, { ...defaultEngineConfig, maxConnections: 6 })),
)
// #endregion

// #region program
const program = Effect.gen(function* () {
  const service = yield* Engine
  // The lease ends with the scope of this program.
  yield* service.acquire({ node: "notes" })
  yield* service.statusChanges.pipe(
    Stream.takeUntil(({ nodes }) => nodes["notes"]?.live === 2),
    Stream.runForEach(({ progress, state }) => Console.log(state, `${progress.live}/${progress.instances}`)),
  )
  const explanation = yield* service.explain("team-red-notes")
  yield* Console.log(explanation.why.join(" "))
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(engine)))
// #endregion
