/**
 * An engine that lets `pnpm graph --live` look at it for a minute. `node packages/engine/examples/inspect.ts`, and in another
 * terminal `pnpm graph --live http://127.0.0.1:9400`, with `--key team-red` to have one instance explained.
 */
import { setTimeout } from "node:timers/promises"
import { PGlite } from "@electric-sql/pglite"
import { serveInspector } from "@espalier/engine/inspector"
import { createEngine } from "@espalier/engine/plain"
import { graph } from "./teams.graph.ts"
import { tinyElectric } from "./tinyElectric.ts"

// #region inspect
await using engine = await createEngine({
  graph,
  params: { userId: "ada", teamId: "red" },
  source: { url: "http://localhost/v1/shape", kind: "electric", fetch: tinyElectric },
  store: { pglite: await PGlite.create() },
})
await using inspector = await serveInspector(engine, { port: Number(process.env["INSPECTOR_PORT"] ?? 9400) })
console.log(`pnpm graph --live ${inspector.url}`)
// #endregion
await setTimeout(Number(process.env["INSPECTOR_SECONDS"] ?? 60) * 1_000)
