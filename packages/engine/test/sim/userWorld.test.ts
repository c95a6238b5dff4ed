/** A user's own tests of a graph, in plain vitest. Quoted by docs/testing.md. */
import { expect, it } from "vitest"
// #region plain
import { openWorld } from "@espalier/engine/testing"
import { graph } from "../../examples/issues.graph.ts"

const me = "00000000-0000-4000-8000-0000000000aa"
const project = "00000000-0000-4000-8000-000000000001"
const issue = (n: number, status: string) => ({
  table: "issues",
  row: { id: `00000000-0000-4000-8000-00000000010${n}`, project_id: project, status, title: `issue ${n}` },
})
const rows = [
  { table: "project_members", row: { project_id: project, user_id: me, role: "member" } },
  { table: "projects", row: { id: project, name: "roof", archived: "false" } },
  issue(1, "open"),
  issue(2, "closed"),
]

it("shows the open issues of my projects, and the closed ones while somebody looks at them", async () => {
  await using world = await openWorld({ graph, params: { userId: me, label: "urgent" }, rows })
  await world.expectConverged()
  await world.expectRows("issues", [{ title: "issue 1" }])

  const leave = await world.lease("closed", { project_id: project })
  await world.expectConverged()
  await world.expectRows("issues", [{ title: "issue 1" }, { title: "issue 2" }])

  await leave()
  await world.advance(6_000) // the node keeps its rows for 5 s
  await world.expectRows("issues", [{ title: "issue 1" }])
})
// #endregion

// #region revoked
it("takes everything of a project away when the membership goes, also when the process dies meanwhile", async () => {
  await using world = await openWorld({ graph, params: { userId: me, label: "urgent" }, rows })
  await world.expectConverged()

  await world.killAtWrite(1, "after")
  await world.commit({ table: "project_members", row: { project_id: project, user_id: me }, remove: true })
  await world.advance(500)
  await world.expectConverged({ withinMillis: 10_000 })
  await world.expectRows("projects", [])
  await world.expectRows("issues", [])
  await world.expectNoLeaks()
})
// #endregion

// #region faults
it("keeps the rows readable through an overloaded server and a refetch", async () => {
  await using world = await openWorld({ graph, params: { userId: me, label: "urgent" }, rows })
  await world.expectConverged()

  await world.fault({ kind: "status", status: 503, retryAfterMillis: 2_000 }, { forMillis: 5_000 })
  await world.rotate("issues")
  await world.commit(issue(3, "open"))
  await world.advance(100)
  await world.expectRows("issues", [{ title: "issue 1" }]) // the old rows, until the new ones are there
  await world.expectConverged({ withinMillis: 30_000 })
  await world.expectRows("issues", [{ title: "issue 1" }, { title: "issue 3" }])
})
// #endregion

it("says what is missing, and what the engine did last, when a world does not converge", async () => {
  await using world = await openWorld({ graph, rows })
  await world.expectConverged()
  await world.online(false)
  await world.commit(issue(4, "open"))
  const error: unknown = await world.expectConverged({ withinMillis: 2_000 }).catch((cause: unknown) => cause)
  expect(String(error)).toMatch(/not converged: .*Paused/)
  expect(String(error)).toContain("paused offline")
  await expect(world.expectRows("issues", [])).rejects.toThrow(/issues shows too much/)
  await expect(world.expectRows("projects", [{ name: "cellar" }])).rejects.toThrow(/projects lacks/)
})
