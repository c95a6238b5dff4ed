/** The PGlite store on a directory: closed and opened again, with another schema, with a database that refuses. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { PGlite } from "@electric-sql/pglite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PgliteLocalStore, type PgliteDatabase } from "../../src/adapters/pglite/index.ts"
import { Graph } from "../../src/graph/index.ts"
import type { LocalStore } from "../../src/ports/LocalStore.ts"
import { contractGraph, shareOf, storeInstance } from "../../src/testing/localStoreKit.ts"
import { insert, moveOut, snapshotEnd, update } from "../../src/testing/messages.ts"
import { openPglite, rowsOf } from "./pgliteHarness.ts"

const items = storeInstance("items")
const notes = storeInstance("notes", { table: "notes" })

const graphWith = (columns: Readonly<Record<string, "text?" | "int4?">>) =>
  Graph.make({
    name: "changing",
    tables: {
      notes: { columns: { id: "int4", ...columns }, primaryKey: ["id"] },
      kept: { columns: { id: "int4", name: "text?" }, primaryKey: ["id"] },
    },
    nodes: { notes: { table: "notes", key: "notes" }, kept: { table: "kept", key: "kept" } },
  })

describe("PgliteLocalStore on a directory", () => {
  const directory = mkdtempSync(join(tmpdir(), "espalier-store-"))
  let pglite: PGlite
  beforeAll(async () => {
    pglite = await openPglite(directory)
  })
  afterAll(async () => {
    await pglite.close()
    rmSync(directory, { recursive: true })
  })

  it.live("finds rows, provenance, tags and checkpoints after the database was closed", () =>
    Effect.gen(function* () {
      const tagged = storeInstance("tagged", { tagged: true })
      const row = (id: string) =>
        insert("items", { id, name: "a" }, { tags: ["aa"], activeConditions: [true] })
      const first = yield* PgliteLocalStore.make({ pglite, graph: contractGraph })
      yield* first.commit([
        shareOf(items, [insert("items", { id: "1", name: "a" }), snapshotEnd()], { offset: "8_0" }),
        shareOf(tagged, [row("1"), row("2"), snapshotEnd()]),
      ])
      yield* first.commit([shareOf(tagged, [insert("items", { id: "7" })], { mode: "stage", handle: "h2" })])
      yield* Effect.promise(() => pglite.close())
      pglite = yield* Effect.promise(() => openPglite(directory))
      const again = yield* PgliteLocalStore.make({ pglite, graph: contractGraph })
      const states = yield* again.instances
      assert.deepStrictEqual(
        states.map(({ checkpoint, key, rows }) => [key, checkpoint?.offset ?? null, rows]),
        [
          ["items", "8_0", 1],
          ["tagged", null, 2],
        ],
      )
      yield* again.commit([
        shareOf(tagged, [row("2"), snapshotEnd(), moveOut([{ pos: 0, value: "aa" }])], {
          mode: "swap",
          handle: "h2",
        }),
      ])
      assert.deepStrictEqual(
        (yield* rowsOf(pglite, "items")).map(({ id }) => id),
        ["1"],
      )
    }),
  )

  it.live("rebuilds a table whose declaration changed, keeps the others and drops what left the graph", () =>
    Effect.gen(function* () {
      const kept = storeInstance("kept", { table: "kept" })
      const before = yield* PgliteLocalStore.make({ pglite, graph: graphWith({ body: "text?" }) })
      assert.deepStrictEqual(yield* before.instances, [])
      yield* before.commit([
        shareOf(notes, [insert("notes", { id: "1", body: "x" }), snapshotEnd()]),
        shareOf(kept, [insert("kept", { id: "1", name: "stays" }), snapshotEnd()]),
      ])
      const graph = graphWith({ body: "int4?" })
      const after = yield* PgliteLocalStore.make({ pglite, graph })
      assert.deepStrictEqual(
        (yield* after.instances).map(({ key }) => key),
        ["kept"],
      )
      assert.deepStrictEqual(yield* rowsOf(pglite, "notes", graph), [])
      assert.deepStrictEqual(yield* rowsOf(pglite, "kept", graph), [{ id: "1", name: "stays" }])
      yield* after.commit([shareOf(notes, [insert("notes", { id: "1", body: "5" })])])
      assert.deepStrictEqual(yield* rowsOf(pglite, "notes", graph), [{ id: "1", body: "5" }])
    }),
  )

  it.live("refuses a foreign table of a declared name, with the way out", () =>
    Effect.gen(function* () {
      yield* Effect.promise(() => pglite.exec("create table theirs (id int)"))
      const graph = Graph.make({
        name: "foreign",
        tables: { theirs: { columns: { id: "int4", name: "text" }, primaryKey: ["id"] } },
        nodes: { theirs: { table: "theirs", key: "theirs" } },
      })
      const error = yield* Effect.flip(PgliteLocalStore.make({ pglite, graph }))
      assert.strictEqual(error.kind, "schema")
      assert.include(error.message, `"theirs" without column name`)
    }),
  )

  it.live("names a full disk, keeps nothing of the commit and goes on afterwards", () =>
    Effect.gen(function* () {
      const graph = graphWith({ body: "int4?" })
      let full = false
      const failing: PgliteDatabase = {
        syncToFs: () => pglite.syncToFs(),
        transaction: (body) =>
          pglite.transaction(async (tx) => {
            const value = await body(tx)
            if (full)
              throw Object.assign(new Error("could not extend file: No space left on device"), {
                code: "53100",
              })
            return value
          }),
      }
      const store: LocalStore["Service"] = yield* PgliteLocalStore.make({ pglite: failing, graph })
      yield* store.wipe
      yield* store.commit([shareOf(notes, [insert("notes", { id: "1", body: "5" })])])
      full = true
      const error = yield* Effect.flip(
        store.commit([
          shareOf(notes, [update("notes", { id: "1", body: "6" }, { lsn: 5 })], { offset: "9_0" }),
        ]),
      )
      assert.strictEqual(error.kind, "quota")
      full = false
      assert.deepStrictEqual(
        (yield* store.instances).map(({ checkpoint }) => checkpoint?.offset),
        ["1_0"],
      )
      assert.deepStrictEqual(yield* rowsOf(pglite, "notes", graph), [{ id: "1", body: "5" }])
    }),
  )

  it.live("commits a bulk snapshot and a 20 MB value, and lets triggers know that it writes", () =>
    Effect.gen(function* () {
      const graph = graphWith({ body: "text?" })
      const store = yield* PgliteLocalStore.make({ pglite, graph })
      yield* Effect.promise(() =>
        pglite.exec(`create table seen (syncing text);
          create function note() returns trigger language plpgsql as $$ begin insert into seen values (current_setting('espalier.syncing', true)); return null; end $$;
          create trigger note after insert or update on notes for each statement execute function note()`),
      )
      const many = Array.from({ length: 12_000 }, (_, id) =>
        insert("notes", { id: String(id), body: `body ${id}` }),
      )
      const started = performance.now()
      const result = yield* store.commit([shareOf(notes, [...many, snapshotEnd()])])
      const millis = performance.now() - started
      assert.deepStrictEqual(result.changes, { notes: { inserted: 12_000, updated: 0, deleted: 0 } })
      assert.isBelow(millis, 10_000)
      const big = "x".repeat(20 * 1024 * 1024)
      yield* store.commit([shareOf(notes, [update("notes", { id: "1", body: big }, { lsn: 5 })])])
      const length = yield* Effect.promise(() =>
        pglite.query<{ n: number }>("select length(body) as n from notes where id = 1"),
      )
      assert.strictEqual(length.rows[0]?.n, big.length)
      const seen = yield* Effect.promise(() =>
        pglite.query<{ syncing: string }>("select distinct syncing from seen"),
      )
      assert.deepStrictEqual(seen.rows, [{ syncing: "on" }])
    }),
  )

  it.live("knows a row by its value when Postgres spells the key in several ways", () =>
    Effect.gen(function* () {
      const store = yield* PgliteLocalStore.make({ pglite, graph: contractGraph })
      const stamps = storeInstance("stamps", { table: "stamps" })
      const row = (at: string, amount: string, note: string) => ({ at, amount, note })
      yield* store.commit([
        shareOf(stamps, [
          insert("stamps", row("2026-01-01 00:00:00+00", "1.0", "a")),
          insert("stamps", row("infinity", "NaN", "b")),
          insert("stamps", row("0044-03-15 12:00:00+00 BC", "3", "c")),
        ]),
      ])
      const result = yield* store.commit([
        shareOf(stamps, [
          update("stamps", row("2026-01-01T01:00:00+01:00", "1.00", "a2"), { lsn: 5 }),
          insert("stamps", row("2026-01-01 00:00:00+00", "1", "a3"), { lsn: 6 }),
          update("stamps", row("infinity", "NaN", "b2"), { lsn: 6 }),
        ]),
      ])
      assert.deepStrictEqual(result.outcomes, [{ _tag: "Committed", key: "stamps", rows: 3 }])
      assert.deepStrictEqual((yield* rowsOf(pglite, "stamps")).map(({ note }) => note).sort(), [
        "a3",
        "b2",
        "c",
      ])
    }),
  )
})
