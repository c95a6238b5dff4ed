/**
 * A process that syncs into a data directory until it is killed: `node killVictim.ts DIRECTORY URL USER`. It says "open" to its
 * parent when the engine has started, and ends when the parent does. Used by `killRuns.ts` only.
 */
import { PGlite } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import { graph } from "../../packages/engine/examples/workspaces.graph.ts"
import { localEngine } from "./localEngine.ts"

const [directory = "", url = "", userId = ""] = process.argv.slice(2)

process.on("disconnect", () => process.exit(0))
const pglite = await PGlite.create(directory)
await Effect.runPromise(
  Effect.gen(function* () {
    process.send?.("open")
    return yield* Effect.never
  }).pipe(Effect.provide(localEngine({ pglite, graph, params: { userId }, url }))),
)
