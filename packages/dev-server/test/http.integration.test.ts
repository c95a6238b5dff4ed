/** The HTTP face, item by item of the protocol reference's checklist (§11), without a client in between. */
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"
import { DevServer, type DevServerError, type DevServerHandle, type DevServerOptions } from "../src/index.ts"
import { ReplayClient } from "./support/ReplayClient.ts"

let db: PGlite

beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(`
    create table items (id int primary key, title text not null, n int, "Odd name" text);
    create table "Ünï" ("a/b" text, k2 int, b bool, primary key ("a/b", k2));
    create table keyless (a int, b text);
    create table parents (id int primary key, ok bool);
    insert into items values (1, 'one', 10, 'x'), (2, 'two', null, null);
    insert into "Ünï" values ('x/y', 1, true);
    insert into keyless values (1, null), (2, 'z');
    insert into parents values (1, true);`)
})

afterAll(() => db.close())

const serve = (
  options: Partial<DevServerOptions> = {},
): Effect.Effect<DevServerHandle, DevServerError, Scope.Scope> =>
  DevServer.make({ db, longPollTimeoutMillis: 400, ...options })

const get = (server: DevServerHandle, query: Record<string, string>, init: RequestInit = {}) =>
  Effect.promise(() => fetch(`${server.url}/v1/shape?${new URLSearchParams(query)}`, init))

const bodyOf = (response: Response) => Effect.promise(async () => (await response.json()) as unknown)

const errorsOf = (server: DevServerHandle, query: Record<string, string>) =>
  Effect.gen(function* () {
    const response = yield* get(server, query)
    const body = (yield* bodyOf(response)) as { readonly errors?: Record<string, unknown> }
    return [response.status, body.errors] as const
  })

const header = (response: Response, name: string): string => response.headers.get(name) ?? ""

describe("Routes", () => {
  it.live("answer health, root, unknown paths, preflights and HEAD", () =>
    Effect.gen(function* () {
      const server = yield* serve({ secret: "s" })
      const fetchPath = (path: string, init?: RequestInit) =>
        Effect.promise(() => fetch(server.url + path, init))
      const health = yield* fetchPath("/v1/health")
      assert.deepStrictEqual([health.status, yield* bodyOf(health)], [200, { status: "active" }])
      assert.strictEqual((yield* fetchPath("/")).status, 200)
      const unknown = yield* fetchPath("/v1/other")
      assert.deepStrictEqual(
        [unknown.status, yield* Effect.promise(() => unknown.text())],
        [404, "Not found"],
      )
      const preflight = yield* fetchPath("/v1/shape", { method: "OPTIONS" })
      assert.deepStrictEqual(
        [preflight.status, header(preflight, "access-control-allow-headers")],
        [204, "authorization, content-type, if-none-match, traceparent"],
      )
      for (const path of ["/v1/shape", "/v1/shape/", "//v1//shape", "/v1/%73hape"]) {
        const refused = yield* fetchPath(`${path}?table=items&offset=-1`)
        assert.deepStrictEqual([refused.status, header(refused, "access-control-allow-origin")], [401, "*"])
        assert.strictEqual((yield* fetchPath(`${path}?table=items&offset=-1&secret=s`)).status, 200)
      }
      assert.strictEqual((yield* fetchPath("/v1/shape?table=items&offset=-1&api_secret=s")).status, 200)
      const head = yield* fetchPath("/v1/shape?table=items&offset=-1&secret=s", { method: "HEAD" })
      assert.deepStrictEqual([head.status, yield* Effect.promise(() => head.text())], [200, ""])
      assert.match(header(head, "electric-handle"), /^\d+-\d+$/u)
    }),
  )

  it.live("refuse DELETE unless allowed, and make the handle void where it is", () =>
    Effect.gen(function* () {
      const closed = yield* serve()
      assert.strictEqual((yield* get(closed, { table: "items" }, { method: "DELETE" })).status, 405)
      const server = yield* serve({ allowDelete: true })
      assert.strictEqual((yield* get(server, { table: "items" }, { method: "DELETE" })).status, 404)
      const client = new ReplayClient(server.url, { table: "items" })
      yield* Effect.promise(() => client.catchUp())
      const waiting = client.request(true)
      while (server.counts().waiters === 0) yield* Effect.sleep(5)
      assert.strictEqual((yield* get(server, { table: "items" }, { method: "DELETE" })).status, 202)
      assert.strictEqual((yield* Effect.promise(() => waiting)).status, 409)
    }),
  )
})

describe("Validation", () => {
  it.live("reports the first broken stage under Electric's field and in its words", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const expectations: ReadonlyArray<
        readonly [Record<string, string>, Record<string, ReadonlyArray<string>>]
      > = [
        [{ table: "items" }, { offset: ["can't be blank"] }],
        [{ table: "items", offset: "abc" }, { offset: ["has invalid format"] }],
        [{ table: "items", offset: "0_0" }, { handle: ["can't be blank when offset != -1"] }],
        [{ table: "items", offset: "-1", live: "" }, { live: ["can't be true when offset == -1"] }],
        [
          { table: "items", offset: "-1", live_sse: "true" },
          { live_sse: ["can't be true unless live is also true"] },
        ],
        [{ offset: "-1" }, { table: ["can't be blank"] }],
        [
          { table: "nope", offset: "-1" },
          {
            table: [
              'Table "public"."nope" does not exist. If the table name contains capitals or special characters you must quote it.',
            ],
          },
        ],
        [
          { table: "items", offset: "-1", columns: "title" },
          { columns: ["The list of columns must include all primary key columns, missing: id"] },
        ],
        [
          { table: "items", offset: "-1", columns: "id,nope" },
          { columns: ["The following columns are not found on the table: nope"] },
        ],
        [
          { table: "items", offset: "-1", replica: "x", log: "y" },
          { replica: ["is invalid"], log: ["is invalid"] },
        ],
        [
          { table: "items", offset: "-1", where: "n = $1", "params[2]": "1" },
          { params: ["Parameters must be numbered sequentially, starting from 1"] },
        ],
        [
          { table: "items", offset: "-1", where: "n = $1", "params[1]": "abc" },
          { where: ["At location 4: invalid syntax for type int4: abc"] },
        ],
        [
          { table: "items", offset: "-1", where: "n = $1" },
          { where: ["At location 4: parameter $1 was not provided"] },
        ],
        [
          { table: "items", offset: "-1", where: "n =" },
          { where: ["At location 18: syntax error at end of input"] },
        ],
        [{ table: "items", offset: "-1", where: "n + 1" }, { where: ["WHERE clause must return a boolean"] }],
        [
          { table: "items", offset: "-1", where: "title = n" },
          { where: ["At location 6: Could not select an operator overload"] },
        ],
        [
          { table: "items", offset: "-1", where: "nope = 1" },
          { where: ["At location 0: unknown reference nope"] },
        ],
        [
          { table: "items", offset: "-1", where: "now() > now()" },
          { where: ["At location 0: unknown or unsupported function now/0"] },
        ],
        [
          { table: "items", offset: "-1", where: "count(*) > 0" },
          { where: ["At location 0: aggregation is not supported in this context"] },
        ],
        [
          { table: "items", offset: "-1", where: "EXISTS (SELECT 1 FROM parents)" },
          { where: ["At location 30: Expected a plain column reference"] },
        ],
        [
          { table: "items", offset: "-1", where: "n IN (SELECT ok FROM parents)" },
          {
            where: [
              "At location 2: left side of `IN (SELECT ...)` has type int4 but subquery returns bool[]",
            ],
          },
        ],
        [
          { table: "items", offset: "-1", where: "n = 1; drop table items" },
          { where: ['unescaped ";" causing statement split'] },
        ],
        [
          { table: "items", offset: "-1", where: "n = 1 ORDER BY n" },
          { where: ["malformed query ending with SQL clauses"] },
        ],
        [
          {
            table: "items",
            offset: "-1",
            where: "n IN (SELECT id FROM parents) OR NOT n IN (SELECT id FROM parents)",
          },
          {
            where: [
              "a subquery dependency cannot be used with both positive and negative polarity in the same filter",
            ],
          },
        ],
      ]
      for (const [query, errors] of expectations)
        assert.deepStrictEqual(yield* errorsOf(server, query), [400, errors], JSON.stringify(query))
      assert.strictEqual(server.counts().shapes, 0)
    }),
  )

  it.live("ignores what Electric ignores, and shares one shape among equal definitions", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const handleOf = (query: Record<string, string>) =>
        Effect.map(get(server, { offset: "-1", ...query }), (response) => header(response, "electric-handle"))
      const plain = yield* handleOf({ table: "items", where: "n = 1" })
      assert.strictEqual(
        yield* handleOf({
          table: "public.ITEMS",
          where: "( N=1 )",
          handle: "x-1",
          "cache-buster": "2",
          expired_handle: "y",
        }),
        plain,
      )
      const columns = yield* handleOf({ table: "items", columns: "id,title" })
      assert.strictEqual(yield* handleOf({ table: "items", columns: '"title",id' }), columns)
      const others = [
        { where: "n = 2" },
        { columns: "id,n" },
        { replica: "full" },
        { log: "changes_only" },
        {},
      ]
      const handles = new Set([plain, columns])
      for (const other of others) handles.add(yield* handleOf({ table: "items", ...other }))
      assert.strictEqual(handles.size, others.length + 2)
    }),
  )
})

describe("A shape", () => {
  it.live("answers -1, catch-up and an empty live poll with the documented headers", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const first = yield* get(server, { table: "items", offset: "-1" })
      const handle = header(first, "electric-handle")
      assert.deepStrictEqual(
        [
          header(first, "electric-offset"),
          first.headers.get("electric-up-to-date"),
          first.headers.get("electric-cursor"),
          header(first, "cache-control"),
        ],
        ["0_0", null, null, "public, max-age=604800, s-maxage=3600, stale-while-revalidate=2629746"],
      )
      assert.deepStrictEqual(JSON.parse(header(first, "electric-schema")), {
        id: { type: "int4", not_null: true, pk_index: 0 },
        title: { type: "text", not_null: true },
        n: { type: "int4" },
        "Odd name": { type: "text" },
      })
      const second = yield* get(server, { table: "items", offset: "0_0", handle })
      assert.deepStrictEqual(
        [
          header(second, "electric-offset"),
          second.headers.get("electric-up-to-date"),
          header(second, "electric-has-data"),
        ],
        ["0_inf", "", "true"],
      )
      const before = performance.now()
      const live = yield* get(server, {
        table: "items",
        offset: "0_inf",
        handle,
        live: "true",
        cursor: "99999999999",
      })
      assert.isAtLeast(performance.now() - before, 390)
      assert.deepStrictEqual(
        [
          header(live, "electric-has-data"),
          live.headers.get("electric-schema"),
          header(live, "cache-control"),
        ],
        ["false", null, "public, max-age=5, stale-while-revalidate=5"],
      )
      assert.isAbove(Number(header(live, "electric-cursor")), 99_999_999_999)
      assert.match(header(live, "etag"), /:0_inf:0_inf:\d+"$/u)
      const again = yield* get(
        server,
        { table: "items", offset: "-1" },
        { headers: { "if-none-match": header(first, "etag") } },
      )
      assert.strictEqual(again.status, 304)
      const now = yield* get(server, { table: "items", offset: "now" })
      assert.deepStrictEqual(
        [header(now, "electric-offset"), header(now, "electric-has-data")],
        ["0_inf", "false"],
      )
    }),
  )

  it.live("answers 409 with the right handle to a foreign one, and that handle works at once", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const refused = yield* get(server, { table: "items", offset: "5_0", handle: "123-456" })
      assert.deepStrictEqual(
        [refused.status, yield* bodyOf(refused), header(refused, "cache-control")],
        [409, [{ headers: { control: "must-refetch" } }], "public, max-age=60, must-revalidate"],
      )
      const handle = header(refused, "electric-handle")
      const next = yield* get(server, { table: "items", offset: "-1", handle })
      assert.strictEqual(header(next, "electric-handle"), handle)
    }),
  )

  it.live(
    "holds an offset past its end for half the timeout, then calls it out of bounds, or serves what arrives",
    () =>
      Effect.gen(function* () {
        const server = yield* serve()
        const handle = header(yield* get(server, { table: "items", offset: "-1" }), "electric-handle")
        const before = performance.now()
        const past = yield* errorsOf(server, { table: "items", offset: "9999999999999999_0", handle })
        assert.deepStrictEqual(past, [400, { offset: ["out of bounds for this shape"] }])
        assert.isAtLeast(performance.now() - before, 190)
      }),
  )

  it.live("builds keys from composite, slashed, boolean and missing keys alike in snapshot and log", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const odd = new ReplayClient(server.url, { table: '"Ünï"' })
      const keyless = new ReplayClient(server.url, { table: "keyless" })
      yield* Effect.promise(() => odd.catchUp())
      yield* Effect.promise(() => keyless.catchUp())
      assert.deepStrictEqual([...odd.replica.rows.keys()], ['"public"."Ünï"/"x//y"/"1"'])
      assert.deepStrictEqual([...keyless.replica.rows.keys()].toSorted(), [
        '"public"."keyless"/"1"/_',
        '"public"."keyless"/"2"/"z"',
      ])
      yield* Effect.promise(() =>
        db.exec(`update "Ünï" set b = false; update keyless set b = 'y' where a = 1`),
      )
      yield* Effect.promise(() => odd.catchUp())
      yield* Effect.promise(() => keyless.catchUp())
      assert.deepStrictEqual(odd.values, [{ "a/b": "x/y", k2: "1", b: "f" }])
      assert.deepStrictEqual([...keyless.replica.rows.keys()].toSorted(), [
        '"public"."keyless"/"1"/"y"',
        '"public"."keyless"/"2"/"z"',
      ])
    }),
  )

  it.live("is rotated when its log passes the limit, and serves the new rows under a new handle", () =>
    Effect.gen(function* () {
      const server = yield* serve({ maxLogBytes: 2_000 })
      yield* Effect.promise(() => db.exec("create table busy (id int primary key, t text)"))
      yield* Effect.addFinalizer(() => Effect.promise(() => db.exec("drop table busy")))
      const client = new ReplayClient(server.url, { table: "busy" })
      yield* Effect.promise(() => client.catchUp())
      for (let id = 0; id < 20; id += 1) {
        yield* Effect.promise(() => db.query("insert into busy values ($1, repeat('x', 100))", [id]))
        yield* Effect.promise(() => client.catchUp())
      }
      assert.isAtLeast(client.refetches, 1)
      assert.strictEqual(client.values.length, 20)
    }),
  )

  it.live("makes room for a new one when there are too many, the least recently used first", () =>
    Effect.gen(function* () {
      const server = yield* serve({ maxShapes: 2 })
      const follow = (n: number) => new ReplayClient(server.url, { table: "items", where: `n > ${n}` })
      const clients = [follow(1), follow(2)]
      for (const client of clients) yield* Effect.promise(() => client.catchUp())
      yield* Effect.sleep(5)
      yield* Effect.promise(() => clients[0]?.catchUp() ?? Promise.resolve())
      yield* Effect.promise(() => follow(3).catchUp())
      assert.strictEqual(server.counts().shapes, 2)
      for (const client of clients) yield* Effect.promise(() => client.catchUp())
      assert.deepStrictEqual(
        clients.map((client) => client.refetches),
        [0, 1],
      )
    }),
  )

  it.live("survives a condition that fails on a new row: only its own shape is rotated", () =>
    Effect.gen(function* () {
      const server = yield* serve()
      const whole = new ReplayClient(server.url, { table: "items" })
      const dividing = new ReplayClient(server.url, { table: "items", where: "100 / id > 10" })
      yield* Effect.promise(() => whole.catchUp())
      yield* Effect.promise(() => dividing.catchUp())
      yield* Effect.promise(() => db.exec("insert into items values (0, 'zero', 0)"))
      yield* Effect.promise(() => whole.catchUp())
      assert.deepStrictEqual([whole.refetches, whole.values.length], [0, 3])
      const refused = yield* Effect.promise(() => dividing.catchUp().then(String, String))
      assert.match(refused, /500: .*division by zero/u)
      yield* Effect.promise(() => db.exec("delete from items where id = 0"))
      yield* Effect.promise(() => dividing.catchUp())
      assert.deepStrictEqual(dividing.values.map((row) => row["id"]).toSorted(), ["1", "2"])
    }),
  )

  it.live("leaves no growing pile of taken changes", () =>
    Effect.gen(function* () {
      const server = yield* serve({ captureSchema: "piles" })
      yield* Effect.addFinalizer(() =>
        Effect.promise(() => db.exec("drop event trigger piles; drop schema piles cascade; drop table heap")),
      )
      yield* Effect.promise(() => db.exec("create table heap (id int primary key, n int)"))
      const client = new ReplayClient(server.url, { table: "heap" })
      yield* Effect.promise(() => client.catchUp())
      yield* Effect.promise(() => db.exec("insert into heap select g, 0 from generate_series(1, 3000) g"))
      yield* Effect.promise(() => db.exec("update heap set n = 1"))
      yield* Effect.promise(() => client.catchUp())
      const size = yield* server.sql("select pg_relation_size('piles.changes')")
      assert.deepStrictEqual([client.values.length, size.rows], [3000, [["0"]]])
    }),
  )

  it.live("waits on an event stream that begins behind the last chunk of the snapshot", () =>
    Effect.gen(function* () {
      const server = yield* serve({ longPollTimeoutMillis: 20_000 })
      const handle = header(yield* get(server, { table: "items", offset: "-1" }), "electric-handle")
      const abort = new AbortController()
      yield* Effect.addFinalizer(() => Effect.sync(() => abort.abort()))
      const query = { table: "items", offset: "0_0", handle, live: "true", live_sse: "true" }
      const stream = yield* get(server, query, { signal: abort.signal })
      assert.strictEqual(stream.status, 200)
      while (server.counts().waiters !== 1) yield* Effect.sleep(5)
      yield* Effect.promise(() => db.exec("insert into items values (77, 'late', 1)"))
      const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()
      let text = ""
      while (!text.includes("late")) text += (yield* Effect.promise(async () => reader?.read()))?.value ?? ""
      yield* Effect.promise(() => db.exec("delete from items where id = 77"))
    }),
  )

  it.live("releases the waiter of a client that goes away", () =>
    Effect.gen(function* () {
      const server = yield* serve({ longPollTimeoutMillis: 20_000 })
      const client = new ReplayClient(server.url, { table: "items" })
      yield* Effect.promise(() => client.catchUp())
      const abort = new AbortController()
      const gone = client.request(true, abort.signal).catch((error: unknown) => (error as Error).name)
      while (server.counts().waiters !== 1) yield* Effect.sleep(5)
      abort.abort()
      assert.strictEqual(yield* Effect.promise(() => gone), "AbortError")
      while (server.counts().waiters !== 0) yield* Effect.sleep(5)
    }),
  )

  it.live("streams events behind the offset, stays open, and releases its waiter with the connection", () =>
    Effect.gen(function* () {
      const server = yield* serve({ longPollTimeoutMillis: 20_000 })
      const handle = header(yield* get(server, { table: "items", offset: "-1" }), "electric-handle")
      yield* Effect.promise(() => db.exec("update items set n = 11 where id = 1"))
      const abort = new AbortController()
      const query = { table: "items", offset: "0_inf", handle, live: "true", live_sse: "true" }
      const response = yield* get(server, query, { signal: abort.signal })
      assert.deepStrictEqual(
        [
          header(response, "content-type"),
          response.headers.has("electric-cursor"),
          response.headers.has("electric-schema"),
        ],
        ["text/event-stream", true, false],
      )
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
      let text = ""
      const readUntil = (part: string) =>
        Effect.promise(async () => {
          while (!text.includes(part)) text += (await reader?.read())?.value ?? ""
        })
      yield* readUntil("up-to-date")
      yield* Effect.promise(() => db.exec("update items set n = 10 where id = 1"))
      yield* readUntil('"n":"10"')
      const frames = text.split("\n\n").filter((frame) => frame.startsWith("data: "))
      assert.deepStrictEqual(
        frames
          .slice(0, 3)
          .map((frame) => (JSON.parse(frame.slice(6)) as { readonly value?: unknown }).value ?? "control"),
        [{ id: "1", n: "11" }, "control", { id: "1", n: "10" }],
      )
      while (server.counts().waiters !== 1) yield* Effect.sleep(5)
      abort.abort()
      while (server.counts().waiters !== 0) yield* Effect.sleep(5)
    }),
  )

  it.live("is served by two servers over one database at the same time, each with handles of its own", () =>
    Effect.gen(function* () {
      const servers = [yield* serve(), yield* serve()]
      const clients = servers.map(
        (server) => new ReplayClient(server.url, { table: "items", where: "n > 100" }),
      )
      for (const client of clients) yield* Effect.promise(() => client.catchUp())
      yield* Effect.promise(() => db.exec("insert into items values (3, 'three', 101)"))
      yield* Effect.addFinalizer(() => Effect.promise(() => db.exec("delete from items where id = 3")))
      for (const client of clients) yield* Effect.promise(() => client.catchUp())
      assert.deepStrictEqual(
        clients.map((client) => client.values.length),
        [1, 1],
      )
      assert.notStrictEqual(clients[0]?.handle, clients[1]?.handle)
    }),
  )

  it.live("leaves nothing in the database when an unnamed server ends", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* serve()
          yield* get(server, { table: "items", offset: "-1" })
        }),
      )
      const left = yield* Effect.promise(() =>
        db.query(
          "select nspname from pg_namespace where nspname like 'espalier%' union all select tgname from pg_trigger where tgname like '000_%' union all select evtname from pg_event_trigger",
        ),
      )
      assert.deepStrictEqual(left.rows, [])
    }),
  )
})
