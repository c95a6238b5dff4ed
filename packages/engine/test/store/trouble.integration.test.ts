/**
 * What can go wrong around the PGlite store: values and triggers that refuse, a full disk, tables changed behind its back, a second
 * process. Each is named, stays with the instance it belongs to, and is over when its cause is. And what an app may add to its
 * database without being in the way.
 */
import fs, { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PGlite } from "@electric-sql/pglite"
import { live, type LiveNamespace } from "@electric-sql/pglite/live"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { lockName, openDirectory } from "../../src/adapters/node/index.ts"
import { PgliteLocalStore } from "../../src/adapters/pglite/index.ts"
import { Graph } from "../../src/graph/index.ts"
import type { InstanceCommit, LocalStore } from "../../src/ports/LocalStore.ts"
import { shareOf, storeInstance } from "../../src/testing/localStoreKit.ts"
import { insert, snapshotEnd, update } from "../../src/testing/messages.ts"

const graph = Graph.make({
  name: "trouble",
  tables: {
    notes: { columns: { id: "int4", body: "text?" }, primaryKey: ["id"], indexes: [["body"]] },
    people: { columns: { id: "int4", name: "text?" }, primaryKey: ["id"] },
  },
  nodes: { notes: { table: "notes", key: "notes" }, people: { table: "people", key: "people" } },
})
const notes = storeInstance("notes", { table: "notes" })
const people = storeInstance("people", { table: "people" })
const note = (id: number, body: string) => insert("notes", { id: String(id), body })
const person = (id: number, name: string) => insert("people", { id: String(id), name })

const folderOf = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "espalier-trouble-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
)
const memory = Effect.acquireRelease(
  Effect.promise(() => PGlite.create({ extensions: { live } })),
  (opened) => Effect.promise(() => opened.close()),
)
const openStore = (pglite: PGlite) => PgliteLocalStore.make({ pglite, graph })
const sql = (pglite: PGlite, statements: string) => Effect.promise(() => pglite.exec(statements))
const rows = (pglite: PGlite, query: string) =>
  Effect.promise(async () => (await pglite.query<Record<string, unknown>>(query)).rows)

/** Commits and says per share what came of it. */
const outcomes = (store: LocalStore["Service"], ...shares: ReadonlyArray<InstanceCommit>) =>
  Effect.map(store.commit(shares), (result) =>
    result.outcomes.map((outcome) =>
      outcome._tag === "Committed"
        ? outcome.key
        : `${outcome.key} ${outcome.table} ${outcome.kind}: ${outcome.message}`,
    ),
  )

describe("PgliteLocalStore in trouble", () => {
  it.live("keeps a failing trigger of the app with the instance whose row it refuses", () =>
    Effect.gen(function* () {
      const pglite = yield* memory
      const store = yield* openStore(pglite)
      for (const code of ["P0001", "22012", "23514", "ABC01"]) {
        yield* store.wipe
        yield* sql(
          pglite,
          `create or replace function refuse() returns trigger language plpgsql as $$ begin
             if new.body = 'bad' then raise exception 'no bad notes here' using errcode = '${code}'; end if; return new; end $$;
           create or replace trigger refuse before insert or update on notes for each row execute function refuse()`,
        )
        const [first = "", second] = yield* outcomes(
          store,
          shareOf(notes, [note(1, "good"), note(2, "bad"), snapshotEnd()]),
          shareOf(people, [person(1, "a"), snapshotEnd()]),
        )
        assert.match(first, /^notes notes row: table notes: no bad notes here \(/)
        assert.strictEqual(second, "people")
        assert.deepStrictEqual(yield* rows(pglite, "select * from notes"), [])
        yield* sql(pglite, "drop trigger refuse on notes")
        assert.deepStrictEqual(yield* outcomes(store, shareOf(notes, [note(2, "bad"), snapshotEnd()])), [
          "notes",
        ])
      }
    }).pipe(Effect.scoped),
  )

  it.live("names a constraint the app has added, and goes on without it", () =>
    Effect.gen(function* () {
      const pglite = yield* memory
      const store = yield* openStore(pglite)
      yield* sql(pglite, "alter table notes add constraint short check (length(body) < 5)")
      const share = shareOf(notes, [note(1, "far too long"), snapshotEnd()])
      const [refused = ""] = yield* outcomes(store, share)
      assert.match(refused, /violates check constraint "short" \(23514\)$/)
      yield* sql(pglite, "alter table notes drop constraint short")
      assert.deepStrictEqual(yield* outcomes(store, share), ["notes"])
    }).pipe(Effect.scoped),
  )

  const changes: ReadonlyArray<readonly [what: string, statement: string, message: RegExp]> = [
    ["a dropped column", "alter table notes drop column body", /column "body" .*does not exist \(42703\)/],
    [
      "a renamed column",
      "alter table notes rename column body to text",
      /column "body" .*does not exist \(42703\)/,
    ],
    ["a dropped table", "drop table notes", /relation "notes" does not exist \(42P01\)/],
    ["a renamed table", "alter table notes rename to old_notes", /relation "notes" does not exist \(42P01\)/],
    [
      "another type",
      "alter table notes alter column body type int4 using 1",
      /"body" is of type integer|integer: "new"/,
    ],
  ]
  for (const [what, statement, message] of changes) {
    it.live(`keeps ${what} with its instance, and fetches the rows anew after the next opening`, () =>
      Effect.gen(function* () {
        const pglite = yield* memory
        const store = yield* openStore(pglite)
        yield* store.commit([
          shareOf(notes, [note(1, "old"), snapshotEnd()]),
          shareOf(people, [person(1, "a"), snapshotEnd()]),
        ])
        yield* sql(pglite, statement)
        const [refused = "", other] = yield* outcomes(
          store,
          shareOf(notes, [note(2, "new"), update("notes", { id: "1", body: "new" }, { lsn: 5 })], {
            offset: "2_0",
          }),
          shareOf(people, [update("people", { id: "1", name: "b" }, { lsn: 5 })], { offset: "2_0" }),
        )
        assert.match(refused, /^notes notes row: table notes: /)
        assert.match(refused, message)
        assert.strictEqual(other, "people")
        assert.deepStrictEqual(yield* rows(pglite, "select * from people"), [{ id: 1, name: "b" }])

        const again = yield* openStore(pglite)
        assert.deepStrictEqual(
          (yield* again.instances).map(({ checkpoint, key }) => [key, checkpoint?.offset]),
          [["people", "2_0"]],
        )
        assert.deepStrictEqual(yield* outcomes(again, shareOf(notes, [note(1, "new"), snapshotEnd()])), [
          "notes",
        ])
        assert.deepStrictEqual(yield* rows(pglite, "select * from notes"), [{ id: 1, body: "new" }])
      }).pipe(Effect.scoped),
    )
  }

  it.live(
    "says that it cannot read binding values when their column is gone, instead of that there are none",
    () =>
      Effect.gen(function* () {
        const pglite = yield* memory
        const store = yield* openStore(pglite)
        yield* store.commit([shareOf(notes, [note(1, "a"), snapshotEnd()])])
        yield* sql(pglite, "alter table notes drop column body")
        const error = yield* Effect.flip(store.ownerRows(["notes"], ["body"]))
        assert.deepStrictEqual([error.operation, error.kind], ["ownerRows", "schema"])
        assert.deepStrictEqual(yield* store.heldKeys("notes"), [["1"]])
      }).pipe(Effect.scoped),
  )

  it.live("keeps a column the app has added, also over the next opening", () =>
    Effect.gen(function* () {
      const pglite = yield* memory
      const store = yield* openStore(pglite)
      yield* store.commit([shareOf(notes, [note(1, "old"), snapshotEnd()])])
      yield* sql(
        pglite,
        "alter table notes add column starred bool not null default false; update notes set starred = true",
      )
      const again = yield* openStore(pglite)
      yield* again.commit([
        shareOf(notes, [update("notes", { id: "1", body: "new" }, { lsn: 5 })], { offset: "2_0" }),
      ])
      assert.deepStrictEqual(yield* rows(pglite, "select * from notes"), [
        { id: 1, body: "new", starred: true },
      ])
    }).pipe(Effect.scoped),
  )

  it.live("names a full disk, keeps nothing of that commit, and goes on when there is room again", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const pglite = yield* Effect.acquireRelease(
        Effect.promise(() => PGlite.create(folder)),
        (opened) => Effect.promise(() => opened.close()),
      )
      const store = yield* openStore(pglite)
      yield* store.commit([shareOf(notes, [note(1, "kept"), snapshotEnd()])])
      // Tables can grow no more; what is there can still be written.
      const whole = fs.writeSync
      const full = ((file: number, ...rest: ReadonlyArray<never>) => {
        const [, , length, position] = rest as unknown as readonly [unknown, number, number, number]
        if (length >= 8_192 && position >= fs.fstatSync(file).size)
          throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })
        return Reflect.apply(whole, fs, [file, ...rest]) as number
      }) as typeof fs.writeSync
      const big = [
        update("notes", { id: "1", body: "changed" }, { lsn: 5 }),
        ...Array.from({ length: 3_000 }, (_, id) => note(id + 2, "x".repeat(300))),
      ]
      const share = shareOf(notes, big, { offset: "2_0" })
      fs.writeSync = full
      const error = yield* Effect.flip(store.commit([share])).pipe(
        Effect.ensuring(Effect.sync(() => (fs.writeSync = whole))),
      )
      assert.deepStrictEqual([error.operation, error.kind], ["commit", "quota"])
      assert.deepStrictEqual(yield* rows(pglite, "select * from notes"), [{ id: 1, body: "kept" }])
      assert.deepStrictEqual(
        (yield* store.instances).map(({ checkpoint }) => checkpoint?.offset),
        ["1_0"],
      )
      assert.deepStrictEqual(yield* outcomes(store, share), ["notes"])
      assert.strictEqual((yield* store.instances)[0]?.rows, 3_001)
    }).pipe(Effect.scoped),
  )
})

describe("openDirectory", () => {
  it.live(
    "refuses a directory that another process, or this one, has open, and takes over from a dead one",
    () =>
      Effect.gen(function* () {
        const folder = yield* folderOf
        yield* Effect.scoped(
          Effect.gen(function* () {
            const pglite = yield* openDirectory(folder)
            yield* Effect.flatMap(openStore(pglite), (store) =>
              store.commit([shareOf(notes, [note(1, "a"), snapshotEnd()])]),
            )
            const error = yield* Effect.flip(openDirectory(folder))
            assert.deepStrictEqual(
              [error._tag, error.operation, error.kind],
              ["StoreError", "open", "unavailable"],
            )
            assert.include(error.message, "this very process")
          }),
        )
        writeFileSync(join(folder, lockName), `${process.ppid} 1`)
        const error = yield* Effect.flip(openDirectory(folder))
        assert.include(error.message, `process ${process.ppid}`)
        for (const dead of ["999999999 1", `${process.pid} 1`, ""]) {
          writeFileSync(join(folder, lockName), dead)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const pglite = yield* openDirectory(folder)
              assert.deepStrictEqual(yield* rows(pglite, "select * from notes"), [{ id: 1, body: "a" }])
            }),
          )
        }
      }).pipe(Effect.scoped),
  )
})

describe("an app beside the PGlite store", () => {
  it.live(
    "keeps its own tables, indexes, views and triggers, which see what the store writes and that it does",
    () =>
      Effect.gen(function* () {
        const pglite = yield* memory
        const first = yield* openStore(pglite)
        yield* sql(
          pglite,
          `create table drafts (id int primary key, note int, body text);
         insert into drafts values (1, 1, 'mine');
         create index by_length on notes (length(body));
         create unique index no_twins on notes (body);
         create view long_notes as select id from notes where length(body) > 3;
         create table seen (what text, id int, syncing text);
         create function see() returns trigger language plpgsql as $$ begin
           insert into seen values (lower(tg_op), coalesce(new.id, old.id), current_setting('espalier.syncing', true)); return null; end $$;
         create trigger see after insert or update or delete on notes for each row execute function see()`,
        )
        const one = [note(1, "abcd"), note(2, "b"), snapshotEnd()]
        yield* first.commit([shareOf(notes, one)])
        const store = yield* openStore(pglite)
        yield* store.commit([
          shareOf(notes, [update("notes", { id: "2", body: "efgh" }, { lsn: 5 })], { offset: "2_0" }),
        ])
        yield* sql(pglite, "update notes set body = 'local' where id = 2")
        yield* store.collect(["notes"])
        assert.deepStrictEqual(yield* rows(pglite, "select * from seen"), [
          { what: "insert", id: 1, syncing: "on" },
          { what: "insert", id: 2, syncing: "on" },
          { what: "update", id: 2, syncing: "on" },
          { what: "update", id: 2, syncing: "" },
          { what: "delete", id: 1, syncing: "on" },
          { what: "delete", id: 2, syncing: "on" },
        ])
        assert.deepStrictEqual(yield* rows(pglite, "select * from long_notes"), [])
        assert.deepStrictEqual(yield* rows(pglite, "select body from drafts"), [{ body: "mine" }])
        assert.deepStrictEqual(
          yield* rows(
            pglite,
            "select indexname from pg_indexes where indexname in ('by_length', 'no_twins') order by 1",
          ),
          [{ indexname: "by_length" }, { indexname: "no_twins" }],
        )
      }).pipe(Effect.scoped),
  )

  it.live("is told by live queries once per commit, and only of tables that changed", () =>
    Effect.gen(function* () {
      const pglite = yield* memory
      const store = yield* openStore(pglite)
      const told: Array<string> = []
      const { live: namespace } = pglite as unknown as { readonly live: LiveNamespace }
      const follow = (table: string) =>
        Effect.promise(() =>
          namespace.query(`select count(*)::int4 as n, max(id) from ${table}`, [], ({ rows: [row] }) =>
            told.push(`${table} ${String(row?.["n"])}`),
          ),
        )
      yield* sql(pglite, "create table marks (id int)")
      yield* follow("notes")
      yield* follow("people")
      yield* follow("marks")
      told.length = 0
      // Live queries are read again one behind the other: once the mark is told, so is everything that was to be told before.
      let marks = 0
      const settled = Effect.promise(async () => {
        marks += 1
        await pglite.query("insert into marks values (1)")
        while (!told.includes(`marks ${marks}`)) await new Promise((resolve) => setTimeout(resolve, 5))
        return told.splice(0).filter((line) => !line.startsWith("marks"))
      })
      const others = storeInstance("others", { table: "notes" })
      const many = Array.from({ length: 200 }, (_, id) => note(id, "x"))
      yield* store.commit([
        shareOf(notes, [...many, snapshotEnd({ xmin: "9", xmax: "9" })]),
        shareOf(others, [note(1, "x"), note(500, "y"), snapshotEnd({ xmin: "9", xmax: "9" })]),
      ])
      assert.deepStrictEqual(yield* settled, ["notes 201"])
      const again = [
        update("notes", { id: "1", body: "z" }, { lsn: 5 }),
        insert("notes", { id: "600", body: "w" }, { lsn: 6 }),
      ]
      yield* store.commit([shareOf(notes, again, { offset: "2_0" })])
      assert.deepStrictEqual(yield* settled, ["notes 202"])
      // An up-to-date without rows changes nothing.
      yield* store.commit([shareOf(notes, [], { offset: "3_0" })])
      assert.deepStrictEqual(yield* settled, [])
      // A refetch: staged rows are nobody's business, the swap is told once.
      yield* store.commit([shareOf(notes, many, { mode: "stage", handle: "h2" })])
      assert.deepStrictEqual(yield* settled, [])
      yield* store.commit([
        shareOf(notes, [snapshotEnd({ xmin: "99", xmax: "99" })], { mode: "swap", handle: "h2" }),
      ])
      assert.deepStrictEqual(yield* settled, ["notes 201"])
      yield* store.collect(["notes", "others"])
      assert.deepStrictEqual(yield* settled, ["notes 0"])
    }).pipe(Effect.scoped),
  )
})
