/** What the PGlite store keeps, and asks, in tables whose instances a column tells apart (docs/decisions/005). */
import { PGlite } from "@electric-sql/pglite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PgliteLocalStore } from "../../src/adapters/pglite/index.ts"
import { Graph } from "../../src/graph/index.ts"
import { contractGraph, shareOf, storeInstance } from "../../src/testing/localStoreKit.ts"
import { del, insert, snapshotEnd, update } from "../../src/testing/messages.ts"

const a = storeInstance("a", { slice: ["owner", "a"] })
const b = storeInstance("b", { slice: ["owner", "b"] })
const rowsFor = (owner: string, first: number, count: number) =>
  Array.from({ length: count }, (_, index) =>
    insert("items", { id: String(first + index), owner, name: "start" }),
  )

describe("PgliteLocalStore, implicit tables", () => {
  let pglite: PGlite
  let messages = 0
  beforeAll(async () => {
    pglite = await PGlite.create()
    const send = pglite.execProtocol.bind(pglite)
    pglite.execProtocol = (message, options) => {
      messages += 1
      return send(message, options)
    }
  })
  afterAll(() => pglite.close())

  const open = Effect.gen(function* () {
    const store = yield* PgliteLocalStore.make({ pglite, graph: contractGraph })
    yield* store.wipe
    yield* store.commit([
      shareOf(a, [...rowsFor("a", 0, 100), snapshotEnd()]),
      shareOf(b, [...rowsFor("b", 500, 100), snapshotEnd()]),
    ])
    return store
  })
  const state = Effect.promise(async () => {
    const [entries] = (
      await pglite.query<{ count: number }>("select count(*)::int4 as count from espalier.prov_items")
    ).rows
    const [table] = (
      await pglite.query<{ explicit: boolean; spilled: boolean }>(
        "select explicit, spilled from espalier.tables where name = 'items'",
      )
    ).rows
    return [entries?.count, table?.explicit, table?.spilled]
  })

  it.live(
    "sends a live update and its checkpoint as one message, with the flag up before the row is touched",
    () =>
      Effect.gen(function* () {
        const store = yield* open
        const renamed = (name: string, lsn: number) =>
          shareOf(a, [update("items", { id: "7", name }, { lsn, txid: lsn + 100 })], { offset: `${lsn}_0` })
        yield* store.commit([renamed("first", 20)])
        yield* Effect.promise(() =>
          pglite.exec(`create table if not exists flags (syncing text); truncate flags;
          create or replace function note_flag() returns trigger language plpgsql as
            $$ begin insert into flags values (current_setting('espalier.syncing', true)); return null; end $$;
          create trigger flagged before update on items for each statement execute function note_flag()`),
        )
        yield* store.commit([renamed("second", 21)])
        const before = messages
        const { changes, outcomes } = yield* store.commit([renamed("third", 22)])
        assert.strictEqual(messages - before, 1)
        assert.deepStrictEqual(changes, { items: { inserted: 0, updated: 1, deleted: 0 } })
        assert.deepStrictEqual(outcomes, [{ _tag: "Committed", key: a.key, rows: 100 }])
        const flags = yield* Effect.promise(() => pglite.query("select syncing from flags"))
        assert.deepStrictEqual(flags.rows, [{ syncing: "on" }, { syncing: "on" }])
        yield* Effect.promise(() => pglite.exec("drop trigger flagged on items; drop table flags"))
        const [stored] = yield* store.instances
        assert.deepStrictEqual([stored?.checkpoint?.offset, stored?.rows], ["22_0", 100])
      }),
  )

  it.live(
    "counts no change for a live update that changes nothing, and refuses one of a row that is not held",
    () =>
      Effect.gen(function* () {
        const store = yield* open
        const change = (id: string, lsn: number) =>
          shareOf(a, [update("items", { id, name: "new" }, { lsn, txid: lsn + 100 })], { offset: `${lsn}_0` })
        yield* store.commit([change("7", 20)])
        const again = yield* store.commit([change("7", 21)])
        assert.deepStrictEqual(again.changes, {})
        assert.strictEqual(again.outcomes[0]?._tag, "Committed")
        // A row of the other instance, and one of nobody.
        for (const id of ["500", "9999"]) {
          const { changes, outcomes } = yield* store.commit([change(id, 22)])
          assert.deepStrictEqual(changes, {})
          assert.strictEqual(outcomes[0]?._tag === "Rejected" && outcomes[0].kind, "unknown-row")
        }
        const stored = yield* store.instances
        assert.strictEqual(stored.find(({ key }) => key === a.key)?.checkpoint?.offset, "21_0")
        const kept = yield* Effect.promise(() => pglite.query("select name from items where id = 500"))
        assert.deepStrictEqual(kept.rows, [{ name: "start" }])
      }),
  )

  it.live("writes rows of a table whose every column is key, alone and told apart by a column", () =>
    Effect.gen(function* () {
      const members = Graph.make({
        name: "members",
        tables: {
          members: { columns: { company: "text", person: "text" }, primaryKey: ["company", "person"] },
        },
        nodes: { members: { table: "members", key: "members" } },
      })
      const store = yield* PgliteLocalStore.make({ pglite, graph: members })
      yield* store.wipe
      const row = (person: string) => insert("members", { company: "a", person })
      const instance = storeInstance("members-a", { table: "members", slice: ["company", "a"] })
      yield* store.commit([shareOf(instance, [row("1"), row("2"), snapshotEnd()])])
      const { outcomes } = yield* store.commit([
        shareOf(instance, [insert("members", { company: "a", person: "3" }, { lsn: 20, txid: 120 })]),
      ])
      assert.deepStrictEqual(outcomes, [{ _tag: "Committed", key: instance.key, rows: 3 }])
      // Delivered again: nothing changes, nothing fails.
      yield* store.commit([
        shareOf(instance, [insert("members", { company: "a", person: "3" }, { lsn: 20, txid: 120 })]),
      ])
      assert.deepStrictEqual(yield* store.heldKeys(instance.key), [
        ["a", "1"],
        ["a", "2"],
        ["a", "3"],
      ])
    }),
  )

  it.live("keeps no entries while instances are apart, and none after a row has moved", () =>
    Effect.gen(function* () {
      const store = yield* open
      assert.deepStrictEqual(yield* state, [0, false, false])
      yield* store.commit([shareOf(b, [insert("items", { id: "7", owner: "b" }, { lsn: 20, txid: 120 })])])
      assert.deepStrictEqual(yield* state, [2, false, true])
      yield* store.commit([shareOf(a, [del("items", { id: "7" }, { lsn: 20, txid: 120 })])])
      assert.deepStrictEqual(yield* state, [0, false, false])
      assert.deepStrictEqual(
        (yield* store.instances).map(({ rows }) => rows),
        [99, 101],
      )
    }),
  )

  it.live("writes an entry per row and holder when an instance overlaps, and none once all are gone", () =>
    Effect.gen(function* () {
      const store = yield* open
      const all = storeInstance("all")
      yield* store.commit([shareOf(all, [...rowsFor("a", 0, 60), ...rowsFor("c", 900, 60), snapshotEnd()])])
      assert.deepStrictEqual(yield* state, [320, true, false])
      yield* store.collect(["a", "b"])
      assert.deepStrictEqual(yield* state, [120, true, false])
      yield* store.collect(["all"])
      yield* store.commit([shareOf(a, [...rowsFor("a", 0, 100), snapshotEnd()])])
      assert.deepStrictEqual(yield* state, [0, false, false])
    }),
  )

  it.live("sends a change of a row as one message, and asks nothing", () =>
    Effect.gen(function* () {
      const store = yield* open
      const change = (lsn: number) => shareOf(a, [update("items", { id: "1", name: `n${lsn}` }, { lsn })])
      yield* store.commit([change(20)])
      messages = 0
      yield* store.commit([change(21), shareOf(b, [update("items", { id: "501", name: "n" }, { lsn: 21 })])])
      assert.strictEqual(messages, 1)
    }),
  )
})
