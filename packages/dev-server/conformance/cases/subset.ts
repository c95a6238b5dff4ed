/** Items 42–45: subsets by GET and POST. */
import assert from "node:assert/strict"
import { type Case, test } from "../Case.ts"
import { type Answer, changesOf, errorsOf, header, type Message, type Query } from "../Context.ts"

interface Subset {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly data: ReadonlyArray<Message>
}

const subsetOf = (answer: Answer): Subset => {
  assert.equal(answer.status, 200, answer.text)
  return answer.body as Subset
}

const ids = (answer: Answer): ReadonlyArray<unknown> => subsetOf(answer).data.map((row) => row.value?.["id"])

/** Keys of a subset and the ids it holds; sorted where the subset has no order. */
const selections: ReadonlyArray<readonly [string, Readonly<Record<string, unknown>>, ReadonlyArray<string>]> =
  [
    ["all", { where: "TRUE" }, ["1", "2", "3"]],
    ["where", { where: "n = 10" }, ["1"]],
    ["is-null", { where: "n IS NULL" }, ["2"]],
    ["none", { where: "n = 12345" }, []],
    ["params", { where: "n = $1", params: { 1: "30" } }, ["3"]],
    ["two-params", { where: "n > $1 AND title <> $2", params: { 1: "5", 2: "one" } }, ["3"]],
    ["order", { order_by: "id" }, ["1", "2", "3"]],
    ["order-desc", { order_by: "id DESC" }, ["3", "2", "1"]],
    ["order-nulls", { order_by: "n NULLS FIRST" }, ["2", "1", "3"]],
    ["order-two", { order_by: "n DESC NULLS LAST, id ASC" }, ["3", "1", "2"]],
    ["order-quoted", { order_by: '"id" desc' }, ["3", "2", "1"]],
    ["limit", { order_by: "id", limit: 2 }, ["1", "2"]],
    ["offset", { order_by: "id", offset: 1 }, ["2", "3"]],
    ["limit-offset", { order_by: "id", limit: 1, offset: 1 }, ["2"]],
    ["past-the-end", { order_by: "id", limit: 5, offset: 100 }, []],
    ["everything", { where: "n > $1", params: { 1: "1" }, order_by: "title", limit: 1 }, ["1"]],
    ["like", { where: "title LIKE 't%'", order_by: "id" }, ["2", "3"]],
  ]

const refusals: ReadonlyArray<readonly [string, Readonly<Record<string, unknown>>, string, string]> = [
  ["limit-alone", { limit: 5 }, "order_by", "order_by is required when limit or offset is present"],
  ["offset-alone", { offset: 5 }, "order_by", "order_by is required when limit or offset is present"],
  ["limit-zero", { limit: 0, order_by: "id" }, "limit", "must be greater than 0"],
  ["limit-negative", { limit: -1, order_by: "id" }, "limit", "must be greater than 0"],
  ["limit-letters", { limit: "abc", order_by: "id" }, "limit", "is invalid"],
  ["offset-negative", { offset: -1, order_by: "id" }, "offset", "must be greater than or equal to 0"],
  ["order-unknown", { order_by: "nope" }, "order_by", "At location 18: unknown reference nope"],
  [
    "order-expression",
    { order_by: "id + 1" },
    "order_by",
    "At location 21: A_Expr expressions are not allowed in ORDER BY clauses",
  ],
  [
    "order-function",
    { order_by: "lower(title)" },
    "order_by",
    "At location 18: FuncCall expressions are not allowed in ORDER BY clauses",
  ],
  ["order-two-statements", { order_by: "id; select 1" }, "order_by", "Unexpected `;` in order by"],
  ["order-syntax", { order_by: "id nulls" }, "order_by", 'At location 21: syntax error at or near "nulls"'],
  ["where-unknown", { where: "nope = 1" }, "where", "At location 0: unknown reference nope"],
  ["where-not-boolean", { where: "n" }, "where", "WHERE clause must return a boolean"],
  ["where-syntax", { where: "n =" }, "where", "At location 18: syntax error at end of input"],
  [
    "subquery",
    { where: "id IN (SELECT id FROM pg_class)" },
    "where",
    "Subqueries are not allowed in subsets",
  ],
  ["param-missing", { where: "n = $1" }, "where", "At location 4: parameter $1 was not provided"],
  [
    "param-gap",
    { where: "n = $1", params: { 2: "1" } },
    "params",
    "Parameters must be numbered sequentially, starting from 1",
  ],
  [
    "param-letters",
    { where: "n = $1", params: { a: "1" } },
    "params",
    "Parameters can only use numbers as keys",
  ],
  [
    "param-type",
    { where: "n = $1", params: { 1: "abc" } },
    "where",
    "At location 4: invalid syntax for type int4: abc",
  ],
]

const asQuery = (keys: Readonly<Record<string, unknown>>): Query =>
  Object.fromEntries(
    Object.entries(keys).map(([key, value]) => [
      `subset__${key}`,
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]),
  )

const sorted = (list: ReadonlyArray<unknown>, keys: object): ReadonlyArray<unknown> =>
  "order_by" in keys ? list : list.toSorted((a, b) => String(a).localeCompare(String(b)))

export const cases: ReadonlyArray<Case> = [
  ...selections.flatMap(([id, keys, expected]) => [
    test(42, `get-${id}`, `holds the rows of ${JSON.stringify(keys)} by GET`, async (c) => {
      const answer = await c.get({ table: await c.items(), offset: "-1", ...asQuery(keys) })
      assert.deepEqual(sorted(ids(answer), keys), expected)
    }),
    test(42, `post-${id}`, `holds the rows of ${JSON.stringify(keys)} by POST`, async (c) => {
      const answer = await c.post({ table: await c.items(), offset: "-1" }, keys)
      assert.deepEqual(sorted(ids(answer), keys), expected)
    }),
  ]),
  ...refusals.flatMap(([id, keys, field, words]) => [
    test(43, `get-${id}`, `refuses ${JSON.stringify(keys)} by GET`, async (c) => {
      const answer = await c.get({ table: await c.items(), offset: "-1", ...asQuery(keys) })
      assert.deepEqual(errorsOf(answer), { subset: { [field]: [words] } })
    }),
    test(43, `post-${id}`, `refuses ${JSON.stringify(keys)} by POST`, async (c) => {
      const answer = await c.post({ table: await c.items(), offset: "-1" }, keys)
      assert.deepEqual(errorsOf(answer), { subset: { [field]: [words] } })
    }),
  ]),
  ...(["get", "post"] as const).map((method) =>
    test(42, `${method}-form`, `has metadata, marks and headers by ${method.toUpperCase()}`, async (c) => {
      const table = await c.items()
      const keys = { where: "n = 10" }
      const answer =
        method === "get"
          ? await c.get({ table, offset: "-1", ...asQuery(keys) })
          : await c.post({ table, offset: "-1" }, keys)
      const { metadata, data } = subsetOf(answer)
      for (const name of ["xmin", "xmax", "database_lsn"]) {
        assert.equal(typeof metadata[name], "string")
        assert.match(String(metadata[name]), /^\d+$/u)
      }
      assert.ok(Array.isArray(metadata["xip_list"]))
      assert.ok(Number(metadata["snapshot_mark"]) < 2 ** 31)
      const headers = { operation: "insert", relation: ["public", table] }
      assert.deepEqual(data[0]?.headers, { ...headers, snapshot_mark: metadata["snapshot_mark"] })
      assert.equal(header(answer, "electric-snapshot"), "true")
      assert.equal(header(answer, "cache-control"), "no-cache")
      for (const name of ["electric-handle", "electric-offset", "electric-schema"]) {
        assert.ok(header(answer, name), name)
      }
      assert.equal(header(answer, "etag"), null)
    }),
  ),
  test(42, "nested", "reads the subset from an object of that name", async (c) => {
    const subset = { where: "n = $1", params: { 1: 30 }, order_by: "id", limit: 1 }
    assert.deepEqual(ids(await c.post({ table: await c.items(), offset: "-1" }, { subset })), ["3"])
  }),
  test(42, "empty-post", "answers a POST without a body as a GET", async (c) => {
    const query = { table: await c.items(), offset: "-1" }
    assert.equal((await c.post(query, "")).text, (await c.get(query)).text)
    assert.equal((await c.post(query, {})).text, (await c.get(query)).text)
  }),
  test(42, "changes-only", "works where the log holds changes only, and at a real offset", async (c) => {
    const table = await c.items()
    const { handle, offset } = await c.follow({ table, log: "changes_only" })
    const answer = await c.get({ table, log: "changes_only", handle, offset, subset__where: "n = 10" })
    assert.deepEqual(ids(answer), ["1"])
    assert.deepEqual(
      ["electric-handle", "electric-offset"].map((name) => header(answer, name)),
      [handle, offset],
    )
  }),
  test(42, "wrong-handle", "answers a void handle with 409", async (c) => {
    const answer = await c.get({
      table: await c.items(),
      offset: "0_0",
      handle: "1-1",
      subset__where: "TRUE",
    })
    assert.equal(answer.status, 409)
  }),
  test(44, "or-in-base", "does not let an OR in the base escape", async (c) => {
    const answer = await c.get({
      table: await c.items(),
      offset: "-1",
      where: "id = 1 OR n = 30",
      subset__where: "id = 3",
    })
    assert.deepEqual(ids(answer), ["3"])
  }),
  test(44, "or-in-subset", "does not let an OR in the subset escape", async (c) => {
    const answer = await c.get({
      table: await c.items(),
      offset: "-1",
      where: "id = 1",
      subset__where: "id = 3 OR id = 2",
    })
    assert.deepEqual(ids(answer), [])
  }),
  test(44, "parentheses", "refuses parentheses that would close the base", async (c) => {
    const answer = await c.get({ table: await c.items(), offset: "-1", subset__where: "TRUE) OR (TRUE" })
    assert.equal(answer.status, 400)
  }),
  ...[{ subset__where: "n = 10" }, { subset__order_by: "n" }, { columns: "id,n" }].map((query) =>
    test(
      44,
      `queryable-${Object.keys(query).join()}`,
      `refuses ${JSON.stringify(query)} outside queryable_columns`,
      async (c) => {
        const base = { table: await c.items(), offset: "-1", queryable_columns: "id,title" }
        assert.equal((await c.get({ ...base, ...query } as Query)).status, 400)
      },
    ),
  ),
  test(44, "queryable-base", "does not hold the base to queryable_columns", async (c) => {
    const answer = await c.get({
      table: await c.items(),
      offset: "-1",
      where: "n = 10",
      queryable_columns: "id,title",
      subset__where: "TRUE",
    })
    assert.deepEqual(
      subsetOf(answer).data.map((row) => row.value),
      [{ id: "1", title: "one" }],
    )
  }),
  test(45, "visible", "shows exactly the changes its metadata says it has seen", async (c) => {
    const table = await c.items()
    const start = await c.follow({ table, log: "changes_only" })
    await c.sql(`insert into ${table} values (7, 'a', 1)`)
    const subset = subsetOf(await c.get({ table, offset: "-1", log: "changes_only", subset__where: "TRUE" }))
    await c.sql(`insert into ${table} values (8, 'b', 2)`)
    const held = new Set(subset.data.map((row) => row.key))
    for (const change of changesOf((await c.changes(start, 2)).messages)) {
      const xid = BigInt((change.headers["txids"] as ReadonlyArray<number>)[0] ?? 0)
      const { xmin, xmax, xip_list } = subset.metadata
      const isSeen =
        xid < BigInt(String(xmin)) ||
        (xid < BigInt(String(xmax)) && !(xip_list as ReadonlyArray<string>).includes(String(xid)))
      assert.equal(held.has(change.key), isSeen)
    }
  }),
]
