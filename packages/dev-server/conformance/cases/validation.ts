/** Items 4–12: which requests are refused, under which field, in which words. */
import assert from "node:assert/strict"
import { type Case, each, test } from "../Case.ts"
import { errorsOf, header, messagesOf, type Query } from "../Context.ts"

const offsets: ReadonlyArray<readonly [string, string]> = [
  ["letters", "abc"],
  ["one-number", "10"],
  ["three-numbers", "1_2_3"],
  ["negative-op", "0_-1"],
  ["blank-behind", "1_2 "],
  ["blank-before", " 1_2"],
  ["minus-two", "-2"],
  ["decimal", "1.5_0"],
  ["inf-first", "inf_0"],
  ["word", "later"],
]

const refusals: ReadonlyArray<readonly [string, number, Query, string, string]> = [
  ["missing-offset", 4, {}, "offset", "can't be blank"],
  ["empty-offset", 4, { offset: "" }, "offset", "can't be blank"],
  ["handle-missing", 6, { offset: "0_0" }, "handle", "can't be blank when offset != -1"],
  ["handle-empty", 6, { offset: "5_1", handle: "" }, "handle", "can't be blank when offset != -1"],
  ["live-start", 7, { offset: "-1", live: "true" }, "live", "can't be true when offset == -1"],
  ["live-empty", 7, { offset: "-1", live: "" }, "live", "can't be true when offset == -1"],
  ["live-zero", 7, { offset: "-1", live: "0" }, "live", "can't be true when offset == -1"],
  ["live-now", 7, { offset: "now", live: "true" }, "live", "can't be true when offset is 'now'"],
  ["sse-alone", 8, { offset: "-1", live_sse: "true" }, "live_sse", "can't be true unless live is also true"],
  [
    "sse-old-name",
    8,
    { offset: "-1", experimental_live_sse: "true" },
    "live_sse",
    "can't be true unless live is also true",
  ],
  ["replica", 12, { offset: "-1", replica: "x" }, "replica", "is invalid"],
  ["log", 12, { offset: "-1", log: "x" }, "log", "is invalid"],
  ["params-text", 11, { offset: "-1", where: "id = $1", params: "1" }, "params", "is invalid"],
  ["table-list", 9, { offset: "-1", "table[]": "x" }, "table", "is invalid"],
]

const refused = refusals.map(([id, item, query, field, words]) =>
  test(item, id, `refuses ${JSON.stringify(query)} under ${field}`, async (c) => {
    const answer = await c.get({ table: await c.items(), ...query })
    assert.deepEqual(errorsOf(answer), { [field]: [words] })
    assert.equal(header(answer, "cache-control"), "no-store")
  }),
)

const badTables: ReadonlyArray<readonly [string, string, RegExp]> = [
  ["absent", "no_such_table", /does not exist/u],
  ["other-schema", "nowhere.items", /does not exist/u],
  ["special", "a-b", /special characters/u],
  ["three-parts", "a.b.c", /too many delimiters/u],
  ["empty-part", "public.", /zero-length/u],
  ["capital", '"Items"', /does not exist/u],
  ["too-long", "t".repeat(64), /too long/u],
]

const conditions: ReadonlyArray<readonly [string, string, RegExp]> = [
  ["syntax", "id =", /syntax error at end of input/u],
  ["unknown-column", "nope = 1", /unknown reference nope/u],
  ["not-boolean", "n", /must return a boolean/u],
  ["number", "1", /must return a boolean/u],
  ["two-statements", "true; select 1", /./u],
  ["order-by", "true order by id", /./u],
  ["aggregate", "count(*) > 1", /aggregat|not supported|unknown/u],
  ["now", "now() is not null", /unknown or unsupported function now/u],
  ["user-function", "pg_sleep(1) is null", /unknown or unsupported function/u],
  ["exists", "exists (select 1)", /./u],
  ["scalar-subquery", "id = (select 1)", /./u],
  ["window", "row_number() over () = 1", /./u],
  ["qualified", "public.items.id = 1", /unknown reference/u],
  ["modulo", "id % 2 = 0", /./u],
  ["case-expression", "case when id = 1 then true else false end", /./u],
  ["collate", "title collate \"C\" = 'x'", /./u],
  ["bad-literal", "id = 'x'", /invalid syntax for type int4/u],
  ["missing-param", "id = $1", /parameter \$1 was not provided/u],
  ["cast-unknown", "id::regclass is null", /./u],
  ["sql-value", "current_user = 'x'", /./u],
  ["set-operation", "true union select 1", /./u],
  ["too-long", `id = 1${" OR id = 1".repeat(7_000)}`, /bigger than maximum/u],
]

const columnLists: ReadonlyArray<readonly [string, string, RegExp]> = [
  ["no-key", "title", /must include all primary key columns, missing: id/u],
  ["unknown", "id,nope", /not found on the table: nope/u],
  ["twice", "id,title,title", /not found on the table/u],
  ["blank", "id, title", /./u],
  ["special", "id,a-b", /special characters/u],
  ["empty-name", "id,", /zero-length/u],
]

const paramKeys: ReadonlyArray<readonly [string, string, string]> = [
  ["gap", "params[2]=1", "Parameters must be numbered sequentially, starting from 1"],
  ["zero", "params[0]=1", "Parameters must be numbered sequentially, starting from 1"],
  ["letters", "params[a]=1", "Parameters can only use numbers as keys"],
]

const ignored: ReadonlyArray<readonly [string, string]> = [
  ["cache-buster", "cache-buster=1"],
  ["expired-handle", "expired_handle=1-1"],
  ["unknown", "anything=1"],
  ["cursor", "cursor=nonsense"],
  ["live-false", "live=false"],
  ["empty-where", "where="],
  ["empty-columns", "columns="],
  ["empty-replica", "replica="],
  ["params-alone", "params[1]=x"],
  ["handle-at-start", "handle=1-1"],
]

export const cases: ReadonlyArray<Case> = [
  ...refused,
  ...each(
    5,
    offsets,
    (_, offset) => `refuses the offset "${offset}"`,
    async (c, _, offset) => {
      const answer = await c.get({ table: await c.items(), offset, handle: "1-1" })
      assert.deepEqual(errorsOf(answer), { offset: ["has invalid format"] })
    },
  ),
  ...each(
    5,
    [
      ["leading-zeros", "0_02"],
      ["infinity", "0_inf"],
      ["start-twin", "-1_0"],
    ] as const,
    (_, offset) => `accepts the offset "${offset}"`,
    async (c, _, offset) => {
      const { handle, query } = await c.follow({ table: await c.items() })
      assert.equal((await c.get({ ...query, handle, offset })).status, 200)
    },
  ),
  ...each(
    9,
    badTables,
    (_, table) => `refuses the table ${table}`,
    async (c, _, table, words) => {
      const errors = errorsOf(await c.get({ table, offset: "-1" }))
      assert.deepEqual(Object.keys(errors), ["table"])
      assert.match(String(errors["table"]), words)
    },
  ),
  ...each(
    11,
    conditions,
    (_, where) => `refuses where=${where.slice(0, 60)}`,
    async (c, _, where, words) => {
      const errors = errorsOf(await c.get({ table: await c.items(), offset: "-1", where }))
      assert.deepEqual(Object.keys(errors), ["where"])
      assert.match(String(errors["where"]), words)
    },
  ),
  ...each(
    10,
    columnLists,
    (_, columns) => `refuses columns=${columns}`,
    async (c, _, columns, words) => {
      const errors = errorsOf(await c.get({ table: await c.items(), offset: "-1", columns }))
      assert.deepEqual(Object.keys(errors), ["columns"])
      assert.match(String(errors["columns"]), words)
    },
  ),
  ...each(
    11,
    paramKeys,
    (_, search) => `refuses ${search}`,
    async (c, _, search, words) => {
      const answer = await c.get(`table=${await c.items()}&offset=-1&where=id%3D%241&${search}`)
      assert.deepEqual(errorsOf(answer), { params: [words] })
    },
  ),
  ...each(
    11,
    ignored,
    (_, search) => `answers as if ${search} were not there`,
    async (c, _, search) => {
      const table = await c.items()
      const plain = await c.get(`table=${table}&offset=-1`)
      const answer = await c.get(`table=${table}&offset=-1&${search}`)
      assert.deepEqual([answer.status, answer.text], [200, plain.text])
      assert.equal(header(answer, "electric-handle"), header(plain, "electric-handle"))
    },
  ),
  test(9, "last-wins", "takes the last of a repeated parameter", async (c) => {
    const answer = await c.get(`table=no_such_table&table=${await c.items()}&offset=-1`)
    assert.equal(messagesOf(answer).length, 4)
  }),
  test(
    10,
    "quoted-names",
    "reads quoted column names, with commas, capitals and quotes in them",
    async (c) => {
      const table = await c.table('id int primary key, "a,b" text, "Odd ""name" text', "(1, 'x', 'y')")
      const columns = '"id","a,b","Odd ""name"'
      const [row] = messagesOf(await c.get({ table, offset: "-1", columns }))
      assert.deepEqual(row?.value, { id: "1", "a,b": "x", 'Odd "name': "y" })
    },
  ),
  test(4, "missing-table", "refuses a request without a table", async (c) => {
    assert.deepEqual(errorsOf(await c.get({ offset: "-1" })), { table: ["can't be blank"] })
  }),
]
