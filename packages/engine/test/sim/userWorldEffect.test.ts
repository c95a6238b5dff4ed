/** A user's own tests of a graph, with Effect and its TestClock. Quoted by docs/testing.md. */
// #region effect
import { expectConverged, expectNoLeaks, expectRows, TestWorld } from "@espalier/engine/testing"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { graph } from "../../examples/issues.graph.ts"

const me = "00000000-0000-4000-8000-0000000000aa"
const project = "00000000-0000-4000-8000-000000000001"

it.effect("follows a project into the archive, and back", () =>
  Effect.gen(function* () {
    const world = yield* TestWorld.make({
      graph,
      params: { userId: me, label: "urgent" },
      rows: [
        { table: "project_members", row: { project_id: project, user_id: me, role: "member" } },
        { table: "projects", row: { id: project, name: "roof", archived: "false" } },
      ],
    })
    yield* expectConverged(world)
    yield* expectRows(world, "projects", [{ name: "roof" }])

    yield* world.commit({ table: "projects", row: { id: project, archived: "true" } })
    yield* TestClock.adjust("1 second") // the test's clock is the world's
    yield* expectConverged(world)
    yield* expectRows(world, "projects", [])

    yield* world.commit({ table: "projects", row: { id: project, archived: "false" } })
    yield* expectConverged(world)
    const { state } = yield* world.status
    assert.strictEqual(state, "live")
    yield* expectNoLeaks(world)
  }),
)
// #endregion
