/** The store's upkeep: when CHECKPOINT, VACUUM and ANALYZE are due, and that they really happen. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PgliteLocalStore } from "../../src/adapters/pglite/index.ts"
import { plansOf } from "../../src/adapters/pglite/schema.ts"
import { Upkeep, upkeepLimits } from "../../src/adapters/pglite/Upkeep.ts"
import { contractGraph, shareOf, storeInstance } from "../../src/testing/localStoreKit.ts"
import { insert, snapshotEnd, update } from "../../src/testing/messages.ts"
import { openPglite } from "./pgliteHarness.ts"

const plans = plansOf(contractGraph)
const items = (inserted: number, updated = 0, deleted = 0) => ({ items: { inserted, updated, deleted } })

describe("Upkeep", () => {
  it("asks for nothing while little has changed", () => {
    const upkeep = new Upkeep()
    upkeep.note(items(upkeepLimits.idle.analyzeFewestRows - 1), 100)
    assert.deepStrictEqual(upkeep.due(plans, "idle"), [])
  })

  it("analyses a table after its first rows, once", () => {
    const upkeep = new Upkeep()
    upkeep.note(items(5_000), 100)
    assert.match(upkeep.due(plans, "idle").join(), /analyze "items"/)
    assert.deepStrictEqual(upkeep.due(plans, "idle"), [])
  })

  it("vacuums a table when a share of its rows is dead, not for a fixed number", () => {
    const upkeep = new Upkeep()
    upkeep.holds("items", 100_000)
    upkeep.note(items(0, 19_999), 0)
    assert.deepStrictEqual(upkeep.due(plans, "idle"), [])
    upkeep.note(items(0, 0, 1_000), 0)
    assert.match(upkeep.due(plans, "idle").join(), /^vacuum "items"/)
  })

  it("checkpoints after so many bytes", () => {
    const upkeep = new Upkeep()
    upkeep.note({}, upkeepLimits.idle.checkpointBytes)
    assert.deepStrictEqual(upkeep.due(plans, "idle"), ["checkpoint"])
  })

  it.live("leaves no dead rows behind a bulk update, and plans that know the table", () =>
    Effect.gen(function* () {
      const pglite = yield* Effect.acquireRelease(
        Effect.promise(() => openPglite()),
        (opened) => Effect.promise(() => opened.close()),
      )
      const store = yield* PgliteLocalStore.make({ pglite, graph: contractGraph })
      const one = storeInstance("one")
      const ids = Array.from({ length: 3_000 }, (_, id) => String(id))
      yield* store.commit([
        shareOf(one, [...ids.map((id) => insert("items", { id, name: "a" })), snapshotEnd()]),
      ])
      yield* store.commit([
        shareOf(
          one,
          ids.map((id, op) => update("items", { id, name: "b" }, { lsn: 5, op })),
        ),
      ])
      assert.strictEqual((yield* store.instances)[0]?.rows, 3_000)
      const found = yield* Effect.promise(() =>
        pglite.query<{ rows: number; dead: number }>(
          `select reltuples::int4 as rows, pg_stat_get_dead_tuples(oid)::int4 as dead from pg_class where relname in ('items', 'prov_items') order by relname`,
        ),
      )
      assert.deepStrictEqual(
        found.rows.map(({ rows }) => rows),
        // An instance alone in its table needs no entries.
        [3_000, 0],
      )
      assert.deepStrictEqual(
        found.rows.map(({ dead }) => dead),
        [0, 0],
      )
    }).pipe(Effect.scoped),
  )
})
