/** Tables that are not just a table: partitions beside their root, generated columns, other schemas, every kind of value. */
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll } from "vitest"
import { DevServer } from "../src/index.ts"
import { ReplayClient } from "./support/ReplayClient.ts"

let db: PGlite

beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(`
    create schema elsewhere;
    create table events (day int, id int, text text, primary key (day, id)) partition by range (day);
    create table events_1 partition of events for values from (0) to (10);
    create table events_2 partition of events for values from (10) to (20);
    insert into events values (1, 1, 'one'), (11, 2, 'two');
    create type pair as (x int, y text);
    create domain positive as int check (value > 0);
    create table elsewhere.values (id int primary key, p pair, d positive, i interval, b bytea, a int[], t text[], j jsonb,
      double int generated always as (id * 2) stored);`)
})

afterAll(() => db.close())

const run = (text: string) => Effect.promise(() => db.exec(text))

const rows = (client: ReplayClient) => client.values.map((row) => Object.values(row).join("|")).toSorted()

const catchUp = (...clients: ReadonlyArray<ReplayClient>) =>
  Effect.promise(async () => {
    for (const client of clients) await client.catchUp()
  })

describe("Partitions", () => {
  it.live("have shapes beside those of their root, and both hear of each write once", () =>
    Effect.gen(function* () {
      const server = yield* DevServer.make({ db })
      const [first, root, second] = ["events_1", "events", "events_2"].map(
        (table) => new ReplayClient(server.url, { table }),
      ) as [ReplayClient, ReplayClient, ReplayClient]
      yield* catchUp(first, root, second)
      assert.deepStrictEqual(
        [rows(first), rows(root), rows(second)],
        [["1|1|one"], ["11|2|two", "1|1|one"], ["11|2|two"]],
      )
      yield* run(`
        insert into events values (2, 3, 'three'); update events_2 set text = 'TWO';
        update events set day = 12 where id = 1; delete from events where id = 3`)
      yield* catchUp(first, root, second)
      assert.deepStrictEqual([rows(first), rows(second)], [[], ["11|2|TWO", "12|1|one"]])
      assert.deepStrictEqual(rows(root), ["11|2|TWO", "12|1|one"])
      assert.deepStrictEqual([first.refetches, root.refetches, second.refetches], [0, 0, 0])
      yield* run("truncate events_2")
      yield* catchUp(first, root, second)
      assert.deepStrictEqual([first.refetches, root.refetches, second.refetches], [0, 1, 1])
      assert.deepStrictEqual(rows(root), [])
    }),
  )

  it.live("that are attached or detached make clients of the root begin again", () =>
    Effect.gen(function* () {
      const server = yield* DevServer.make({ db })
      const root = new ReplayClient(server.url, { table: "events" })
      yield* catchUp(root)
      yield* run(`
        create table events_3 (day int not null, id int not null, text text, primary key (day, id));
        insert into events_3 values (21, 9, 'nine');
        alter table events attach partition events_3 for values from (20) to (30)`)
      yield* catchUp(root)
      assert.include(rows(root), "21|9|nine")
      yield* run("alter table events detach partition events_3")
      yield* catchUp(root)
      assert.notInclude(rows(root), "21|9|nine")
      assert.strictEqual(root.refetches, 2)
    }),
  )
})

describe("Values", () => {
  it.live("of every kind are Postgres's own text, in snapshots and in changes", () =>
    Effect.gen(function* () {
      const server = yield* DevServer.make({ db })
      const columns = "p, d, i, b, a, t, j"
      const list = `row(1, 'a "b", c'), 5, '1 day 02:03:04', '\\xdead', '{1,NULL}', '{"a,b",""}', '{"k": [1, null]}'`
      yield* run(`insert into elsewhere.values (id, ${columns}) values (1, ${list})`)
      const client = new ReplayClient(server.url, { table: "elsewhere.values", replica: "full" })
      yield* catchUp(client)
      yield* run(`
        insert into elsewhere.values (id, ${columns}) values (2, ${list}); insert into elsewhere.values (id) values (3);
        update elsewhere.values set id = 4, ${columns
          .split(", ")
          .map((name) => `${name} = (select ${name} from elsewhere.values where id = 1)`)
          .join(", ")} where id = 3`)
      yield* catchUp(client)
      const known = {
        p: '(1,"a ""b"", c")',
        d: "5",
        i: "P1DT2H3M4S",
        b: "\\xdead",
        a: "{1,NULL}",
        t: '{"a,b",""}',
        j: '{"k": [1, null]}',
      }
      assert.deepStrictEqual(
        client.values,
        [1, 2, 4].map((id) => ({ id: String(id), ...known, double: String(id * 2) })),
      )
    }),
  )
})

describe("Compaction", () => {
  it.live("may be asked for, except of shapes with subqueries", () =>
    Effect.gen(function* () {
      const server = yield* DevServer.make({ db })
      const ask = (query: Record<string, string>) =>
        Effect.promise(async () => {
          const search = new URLSearchParams({ table: "events", offset: "-1", ...query })
          const response = await fetch(`${server.url}/v1/shape?${search}`)
          const body = (await response.json()) as { readonly errors?: unknown }
          return [response.status, body.errors]
        })
      assert.deepStrictEqual(yield* ask({ experimental_compaction: "true" }), [200, undefined])
      assert.deepStrictEqual(yield* ask({ experimental_compaction: "maybe" }), [
        400,
        { experimental_compaction: ["is invalid"] },
      ])
      const where = "id IN (SELECT id FROM elsewhere.values)"
      assert.deepStrictEqual(yield* ask({ experimental_compaction: "true", where }), [
        400,
        { experimental_compaction: ["can't be enabled for shapes with subqueries"] },
      ])
      assert.deepStrictEqual(yield* ask({ experimental_compaction: "false", where }), [200, undefined])
    }),
  )
})

describe("A server over an open database", () => {
  it.live("starts and stops in milliseconds, and several serve schemas of one database side by side", () =>
    Effect.gen(function* () {
      yield* run(`
        create schema one; create table one.notes (id int primary key); insert into one.notes values (1);
        create schema two; create table two.notes (id int primary key); insert into two.notes values (2)`)
      const times: Array<number> = []
      for (let round = 0; round < 5; round += 1) {
        const start = performance.now()
        yield* Effect.scoped(DevServer.make({ db }))
        times.push(performance.now() - start)
      }
      yield* Effect.logInfo(`start and stop: ${times.map((time) => time.toFixed(0)).join(", ")} ms`)
      const servers = yield* Effect.all([DevServer.make({ db }), DevServer.make({ db })])
      const clients = ["one", "two"].map(
        (schema, index) => new ReplayClient(servers[index]?.url ?? "", { table: `${schema}.notes` }),
      )
      yield* catchUp(...clients)
      yield* run("insert into one.notes values (10); insert into two.notes values (20)")
      yield* catchUp(...clients)
      assert.deepStrictEqual(clients.map(rows), [
        ["1", "10"],
        ["2", "20"],
      ])
      const { rows: left } = yield* Effect.promise(() =>
        db.query("select nspname from pg_namespace where nspname like 'espalier_capture%'"),
      )
      assert.strictEqual(left.length, 2)
    }),
  )

  it.live("is a layer, too, and takes everything of its own out of the database at the end", () =>
    Effect.gen(function* () {
      const status = yield* Effect.gen(function* () {
        const server = yield* DevServer
        return (yield* Effect.promise(() => fetch(`${server.url}/v1/health`))).status
      }).pipe(Effect.provide(DevServer.layer({ db })))
      assert.strictEqual(status, 200)
      const { rows: left } = yield* Effect.promise(() =>
        db.query("select from pg_namespace where nspname like 'espalier_capture%'"),
      )
      assert.strictEqual(left.length, 0)
    }),
  )
})
