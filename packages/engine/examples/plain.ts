/** The engine without Effect: promises, async iterables, `AbortSignal`, `using`. `node packages/engine/examples/plain.ts` */
import { PGlite } from "@electric-sql/pglite"
import { createEngine } from "@espalier/engine/plain"
import { graph } from "./teams.graph.ts"
import { tinyElectric } from "./tinyElectric.ts"

// #region start
const pglite = await PGlite.create()
await using engine = await createEngine({
  graph,
  params: { userId: "ada", teamId: "red" },
  source: { url: "http://localhost/v1/shape", kind: "electric", fetch: tinyElectric },
  store: { pglite },
  signal: AbortSignal.timeout(60_000),
})

await engine.until(({ state }) => state === "live")
const teams = await pglite.query("select name from teams order by name")
console.log("teams:", teams.rows)
// #endregion

// #region lease
{
  // Notes sync on demand: while this block runs, and for the node's keepForMillis after it.
  using _notes = engine.acquire({ node: "notes", bindings: { team_id: "blue" } })
  await engine.until(({ instances }) => instances["team-blue-notes"]?.state === "Live")
  console.log("notes of blue:", (await pglite.query("select text from notes where team_id = 'blue'")).rows)
}
// #endregion

// #region params
// The user moves to another team: what both views share goes on, the rest is kept for a while.
await engine.setParams({ teamId: "blue" })
for await (const { instances, progress } of engine.statusChanges()) {
  console.log(`${progress.complete} of ${progress.instances} instances, ${progress.rows} rows`)
  if (instances["open-blue"]?.state === "Live") break
}
// #endregion

// #region explain
const { next, waitingFor, why } = engine.explain("open-red")
console.log(why.join(" "), "| waits for:", waitingFor, "| next:", next)
const { heldBy } = await engine.explainRow("notes", ["n3"])
console.log("row n3 is held by", heldBy.map(({ key }) => key).join(", "))
// #endregion
