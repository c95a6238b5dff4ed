/** Subset snapshots, by GET and POST and through the official client: what they hold, what they refuse, what they hide. */
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll } from "vitest"
import { DevServer } from "../src/index.ts"
import { OfficialClient } from "./support/OfficialClient.ts"

let db: PGlite

beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(`
    create table tasks (id int primary key, a int, b int, secret text);
    insert into tasks values (1, 1, 0, 'x'), (2, 1, 1, 'y'), (3, 2, 0, 'z'), (4, 2, 1, 'w');
    create table members (id int primary key, a int);
    insert into members values (1, 1)`)
})

afterAll(() => db.close())

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: {
    readonly metadata: Record<string, unknown>
    readonly data: ReadonlyArray<{
      readonly key: string
      readonly value: Record<string, string>
      readonly headers: Record<string, unknown>
    }>
    readonly errors?: Record<string, unknown>
  }
}

const serve = () => DevServer.make({ db, longPollTimeoutMillis: 400 })

const ask = (url: string, query: Record<string, string>, body?: unknown) =>
  Effect.promise(async (): Promise<Answer> => {
    const response = await fetch(
      `${url}/v1/shape?${new URLSearchParams({ table: "tasks", offset: "-1", ...query })}`,
      body === undefined
        ? {}
        : { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) },
    )
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Answer["body"],
    }
  })

const ids = (answer: Answer) => answer.body.data.map((message) => message.value["id"])

describe("A subset", () => {
  it.live("has the same rows, headers and metadata by GET and by POST", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const byGet = yield* ask(url, {
        subset__where: "b = $1",
        subset__params: '{"1":"0"}',
        subset__order_by: "id desc",
        subset__limit: "5",
      })
      const body = { where: "b = $1", params: { 1: 0 }, order_by: "id desc", limit: 5 }
      const byPost = yield* ask(url, {}, body)
      const nested = yield* ask(url, {}, { subset: body })
      for (const answer of [byGet, byPost, nested]) {
        assert.deepStrictEqual([answer.status, ids(answer)], [200, ["3", "1"]])
        assert.strictEqual(answer.headers.get("electric-snapshot"), "true")
        assert.strictEqual(answer.headers.get("cache-control"), "no-cache")
        assert.strictEqual(answer.headers.get("electric-offset"), "0_0")
        assert.include(String(answer.headers.get("electric-schema")), '"pk_index":0')
        const { metadata, data } = answer.body
        assert.match(String(metadata["xmin"]), /^\d+$/u)
        assert.match(String(metadata["database_lsn"]), /^\d+$/u)
        assert.isArray(metadata["xip_list"])
        assert.isBelow(Number(metadata["snapshot_mark"]), 2 ** 31)
        for (const row of data) assert.strictEqual(row.headers["snapshot_mark"], metadata["snapshot_mark"])
      }
      const handles = [byGet, byPost, nested].map((answer) => answer.headers.get("electric-handle"))
      assert.strictEqual(new Set(handles).size, 1)
    }),
  )

  it.live("can only narrow: an OR on either side stays inside its parentheses", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const where = "a = 1 OR b = 0"
      assert.deepStrictEqual(ids(yield* ask(url, { where, subset__where: "id = 4" })), [])
      assert.deepStrictEqual(
        ids(yield* ask(url, { where, subset__where: "id = 4 OR id = 3", subset__order_by: "id" })),
        ["3"],
      )
      const tagged = yield* ask(url, { where: "a IN (SELECT a FROM members)", subset__where: "b = 1" })
      assert.deepStrictEqual(ids(tagged), ["2"])
      assert.isArray(tagged.body.data[0]?.headers["tags"])
    }),
  )

  it.live("names only queryable columns, in its condition, its order and the column list", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const queryable_columns = "id,a,b"
      const refused = [
        { subset__where: "secret = 'x'" },
        { subset__order_by: "secret" },
        { subset__where: "TRUE", columns: "id,secret" },
      ]
      for (const query of refused) {
        assert.strictEqual((yield* ask(url, { queryable_columns, ...query })).status, 400)
      }
      const answer = yield* ask(url, { queryable_columns, where: "secret = 'x'", subset__where: "TRUE" })
      assert.deepStrictEqual(
        answer.body.data.map((row) => row.value),
        [{ id: "1", a: "1", b: "0" }],
      )
    }),
  )

  it.live("takes nothing from a body but subset keys", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const bodies: ReadonlyArray<readonly [unknown, unknown]> = [
        [{ table: "members" }, { table: ["is not allowed in the body"] }],
        [{ where: "TRUE", columns: "id" }, { columns: ["is not allowed in the body"] }],
        [{ subset: { where: "TRUE" }, where: "TRUE" }, { where: ["is not allowed in the body"] }],
        [{ subset: { table: "x" } }, { "subset.table": ["is not allowed in the body"] }],
        [{ subset: "x" }, { subset: ["is invalid"] }],
        [{ where: 7 }, { subset: { where: ["is invalid"] } }],
        [{ limit: 1 }, { subset: { order_by: ["order_by is required when limit or offset is present"] } }],
      ]
      for (const [body, errors] of bodies) {
        const answer = yield* ask(url, {}, body)
        assert.deepStrictEqual([answer.status, answer.body.errors], [400, errors])
      }
      for (const text of ["{", "[]", "7"]) assert.strictEqual((yield* ask(url, {}, text)).status, 400)
      const large = yield* ask(url, {}, { where: "TRUE", where_expr: "x".repeat(9_000_000) })
      assert.strictEqual(large.status, 413)
      for (const body of ["", "{}", '{"subset":null}']) {
        const answer = (yield* ask(url, {}, body)).body as unknown as ReadonlyArray<unknown>
        assert.strictEqual(answer.length, 5)
      }
    }),
  )

  it.live("that fails to evaluate is refused and spoils nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const answer = yield* ask(url, { subset__where: "1 / b = 1" })
      assert.deepStrictEqual(
        [answer.status, answer.body.errors],
        [400, { subset: { where: "division by zero" } }],
      )
      assert.strictEqual((yield* ask(url, { subset__where: "b = 1" })).status, 200)
    }),
  )
})

describe("The official client", () => {
  for (const subsetMethod of ["GET", "POST"] as const) {
    it.live(`requests and fetches snapshots by ${subsetMethod} and gets each later change once`, () =>
      Effect.gen(function* () {
        const { url } = yield* serve()
        const client = yield* Effect.acquireRelease(
          Effect.sync(
            () => new OfficialClient(url, { table: "tasks" }, { log: "changes_only", subsetMethod }),
          ),
          (open) => Effect.sync(() => open.close()),
        )
        yield* Effect.promise(() => client.until("up to date", () => client.stream.isUpToDate))
        assert.deepStrictEqual(client.ids, [])
        const fetched = yield* Effect.promise(() =>
          client.stream.fetchSnapshot({ where: "b = $1", params: { 1: "1" }, orderBy: "id", limit: 1 }),
        )
        assert.deepStrictEqual(
          fetched.data.map((row) => row.value["id"]),
          ["2"],
        )
        assert.deepStrictEqual(client.ids, [])
        yield* Effect.promise(() => client.stream.requestSnapshot({ where: "a = 1" }))
        yield* Effect.promise(() => client.until("two rows", () => client.ids.join() === "1,2"))
        yield* Effect.promise(() => db.exec("insert into tasks values (9, 1, 1, 'new')"))
        yield* Effect.promise(() => client.until("the new row", () => client.ids.join() === "1,2,9"))
        yield* Effect.promise(() => db.exec("delete from tasks where id = 9"))
        yield* Effect.promise(() => client.until("it gone", () => client.ids.join() === "1,2"))
        assert.deepStrictEqual(client.errors, [])
      }),
    )
  }
})
