/** Items 13–18, 40, 41, 53, 60, 62, 63: the first answer, its values, keys and schema. */
import assert from "node:assert/strict"
import { type Case, test } from "../Case.ts"
import { changesOf, type Context, header, messagesOf } from "../Context.ts"

/** SQL type, literal, and the text every client must get. */
const values: ReadonlyArray<readonly [string, string, string | null]> = [
  ["int2", "-32768", "-32768"],
  ["int4", "2147483647", "2147483647"],
  ["int8", "9223372036854775807", "9223372036854775807"],
  ["numeric", "123456789012345678901234567890.1234567890", "123456789012345678901234567890.1234567890"],
  ["numeric(6,2)", "1.1", "1.10"],
  ["numeric", "'NaN'", "NaN"],
  ["float4", "1.1", "1.1"],
  ["float8", "0.1::float8 + 0.2::float8", "0.30000000000000004"],
  ["float8", "'-Infinity'", "-Infinity"],
  ["text", "'ä\t\"\\ \n🙂'", 'ä\t"\\ \n🙂'],
  ["text", "''", ""],
  ["text", "null", null],
  ["text", "'null'", "null"],
  ["varchar(5)", "'ab'", "ab"],
  ["char(5)", "'ab'", "ab   "],
  ["name", "'x'", "x"],
  ["bytea", "'\\xdeadBEEF'", "\\xdeadbeef"],
  ["uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["date", "'2024-02-29'", "2024-02-29"],
  ["time", "'12:34:56.789'", "12:34:56.789"],
  ["timetz", "'12:34:56+02'", "12:34:56+02"],
  ["timestamp", "'2024-02-29 12:34:56.789'", "2024-02-29 12:34:56.789"],
  ["timestamptz", "'2024-02-29 12:34:56+02'", "2024-02-29 10:34:56+00"],
  ["timestamptz", "'infinity'", "infinity"],
  ["interval", "'1 year 2 days 03:04:05'", "P1Y2DT3H4M5S"],
  ["json", `'{"b": 1,  "a": [1]}'`, '{"b": 1,  "a": [1]}'],
  ["jsonb", `'{"b": 1,  "a": [1]}'`, '{"a": [1], "b": 1}'],
  ["int4[]", "'{1,NULL,3}'", "{1,NULL,3}"],
  ["int4[][]", "'{{1,2},{3,4}}'", "{{1,2},{3,4}}"],
  ["text[]", `array['a,b', 'c"d', '', null]`, '{"a,b","c\\"d","",NULL}'],
  ["int4range", "'[1,5)'", "[1,5)"],
  ["inet", "'10.0.0.0/8'", "10.0.0.0/8"],
  ["macaddr", "'08:00:2b:01:02:03'", "08:00:2b:01:02:03"],
  ["bit(3)", "'101'", "101"],
  ["point", "'(1,2)'", "(1,2)"],
  ["money", "12.5", "$12.50"],
  ["tsvector", "'a b'::tsvector", "'a' 'b'"],
]

/** SQL type of a column and what the schema header says of it, `type` first. */
const schemas: ReadonlyArray<readonly [string, Readonly<Record<string, unknown>>]> = [
  ["int4", { type: "int4" }],
  ["int8 not null", { type: "int8", not_null: true }],
  ["text", { type: "text" }],
  ["varchar(7)", { type: "varchar", max_length: 7 }],
  ["varchar", { type: "varchar" }],
  ["char(4)", { type: "bpchar", length: 4 }],
  ["numeric(8,3)", { type: "numeric", precision: 8, scale: 3 }],
  ["numeric", { type: "numeric" }],
  ["timestamptz(3)", { type: "timestamptz", precision: 3 }],
  ["timestamp(0)", { type: "timestamp", type_mod: 0 }],
  ["interval(2)", { type: "interval", precision: 2 }],
  ["bit(9)", { type: "bit", length: 9 }],
  ["text[]", { type: "text", dims: 1 }],
  ["int4[][]", { type: "int4", dims: 2 }],
  ["jsonb", { type: "jsonb" }],
  ["bool", { type: "bool" }],
  ["uuid", { type: "uuid" }],
]

const slug = (text: string): string => text.replaceAll(/[^a-z0-9]+/giu, "-").slice(0, 30)

const only = async (c: Context, table: string): Promise<ReturnType<typeof messagesOf>[number]> =>
  messagesOf(await c.get({ table, offset: "-1" }))[0] ?? assert.fail("no row")

export const cases: ReadonlyArray<Case> = [
  test(
    13,
    "first",
    "answers the start with rows, handle, offset and schema, and is not up to date",
    async (c) => {
      const answer = await c.get({ table: await c.items(), offset: "-1" })
      assert.equal(answer.status, 200)
      assert.match(String(header(answer, "electric-handle")), /^\d+-\d+$/u)
      assert.equal(header(answer, "electric-offset"), "0_0")
      assert.ok(header(answer, "electric-schema"))
      assert.deepEqual(
        ["electric-up-to-date", "electric-cursor"].map((name) => header(answer, name)),
        [null, null],
      )
      assert.equal(header(answer, "content-type"), "application/json; charset=utf-8")
      assert.ok(!answer.text.includes("up-to-date"))
      assert.equal(changesOf(messagesOf(answer)).length, 3)
    },
  ),
  test(13, "rows", "tells each row as an insert with its relation and nothing of the log", async (c) => {
    const table = await c.items()
    for (const { headers } of changesOf(messagesOf(await c.get({ table, offset: "-1" })))) {
      assert.deepEqual(headers, { operation: "insert", relation: ["public", table] })
    }
  }),
  test(14, "snapshot-end", "closes the snapshot with what it saw", async (c) => {
    const last = messagesOf(await c.get({ table: await c.items(), offset: "-1" })).at(-1)?.headers ?? {}
    assert.equal(last["control"], "snapshot-end")
    for (const name of ["xmin", "xmax"]) assert.match(String(last[name]), /^\d+$/u)
    assert.equal(typeof last["xmin"], "string")
    assert.ok(Array.isArray(last["xip_list"]))
  }),
  test(14, "empty-table", "answers an empty table with the end of its snapshot alone", async (c) => {
    const messages = messagesOf(await c.get({ table: await c.table("id int primary key"), offset: "-1" }))
    assert.deepEqual(
      messages.map((message) => message.headers["control"]),
      ["snapshot-end"],
    )
  }),
  test(15, "catch-up", "reaches an up-to-date as the last message", async (c) => {
    const { answers, messages } = await c.follow({ table: await c.items() })
    assert.equal(messages.at(-1)?.headers["control"], "up-to-date")
    assert.equal(header(answers.at(-1) ?? assert.fail(), "electric-up-to-date"), "")
    assert.equal(messages.filter((one) => one.headers["control"] === "up-to-date").length, 1)
  }),
  test(16, "lsn", "says in the up-to-date how far it has seen, as a decimal string", async (c) => {
    const { messages } = await c.follow({ table: await c.items() })
    const lsn = messages.at(-1)?.headers["global_last_seen_lsn"]
    assert.equal(typeof lsn, "string")
    assert.match(String(lsn), /^\d+$/u)
  }),
  ...values.map(([type, literal, text], index) =>
    test(
      17,
      `value-${index}-${slug(type)}`,
      `tells ${type} ${literal.slice(0, 30)} as Postgres text`,
      async (c) => {
        const table = await c.table(`id int primary key, v ${type}`, `(1, ${literal})`)
        assert.deepEqual((await only(c, table)).value, { id: "1", v: text })
      },
    ),
  ),
  ...values.map(([type, literal, text], index) =>
    test(
      17,
      `log-value-${index}-${slug(type)}`,
      `tells ${type} ${literal.slice(0, 30)} alike in the log`,
      async (c) => {
        const table = await c.table(`id int primary key, v ${type}`)
        const [change] = await c.changesAfter({ table }, [`insert into ${table} values (1, ${literal})`], 1)
        assert.deepEqual(change?.value, { id: "1", v: text })
      },
    ),
  ),
  test(17, "key", "spells keys as quoted relation and quoted value", async (c) => {
    const table = await c.table("id int primary key", "(7)")
    assert.equal((await only(c, table)).key, `"public"."${table}"/"7"`)
  }),
  test(18, "slash", "doubles a slash in a key, and orders parts as the key does", async (c) => {
    const table = await c.table("a text, b int, primary key (b, a)", "('x/y', 1)")
    assert.equal((await only(c, table)).key, `"public"."${table}"/"1"/"x//y"`)
  }),
  test(18, "no-key", "makes a key of all columns where there is none, with _ for NULL", async (c) => {
    const table = await c.table("a text, b int", "('x', null)")
    assert.equal((await only(c, table)).key, `"public"."${table}"/"x"/_`)
  }),
  test(18, "empty-text", "tells an empty text from NULL in a key", async (c) => {
    const table = await c.table("a text primary key", "('')")
    assert.equal((await only(c, table)).key, `"public"."${table}"/""`)
  }),
  test(62, "bool", "spells booleans as t and f in snapshot, log and keys alike", async (c) => {
    const table = await c.table("k bool primary key, v bool", "(true, false)")
    const row = await only(c, table)
    const [change] = await c.changesAfter({ table }, [`update ${table} set v = true`], 1)
    assert.deepEqual(row.value, { k: "t", v: "f" })
    assert.deepEqual([change?.key, change?.value], [row.key, { k: "t", v: "t" }])
  }),
  ...schemas.map(([type, entry]) =>
    test(63, `schema-${slug(type)}`, `describes ${type} in the schema`, async (c) => {
      const table = await c.table(`id int primary key, v ${type}`)
      const schema = header(await c.get({ table, offset: "-1" }), "electric-schema") ?? ""
      assert.deepEqual(JSON.parse(schema), { id: { type: "int4", not_null: true, pk_index: 0 }, v: entry })
    }),
  ),
  test(63, "pk-index", "numbers key columns from 0 in key order", async (c) => {
    const table = await c.table("a int, b int, c int, primary key (c, a)")
    const schema = JSON.parse(
      header(await c.get({ table, offset: "-1" }), "electric-schema") ?? "",
    ) as Record<string, Record<string, unknown>>
    assert.deepEqual(
      ["a", "b", "c"].map((name) => schema[name]?.["pk_index"]),
      [1, undefined, 0],
    )
  }),
  test(63, "selected", "describes only selected columns", async (c) => {
    const answer = await c.get({ table: await c.items(), offset: "-1", columns: "id,n" })
    assert.deepEqual(Object.keys(JSON.parse(header(answer, "electric-schema") ?? "") as object), ["id", "n"])
  }),
  test(40, "now", "answers now with the end and nothing else", async (c) => {
    const answer = await c.get({ table: await c.items(), offset: "now" })
    assert.deepEqual(
      messagesOf(answer).map((message) => message.headers["control"]),
      ["up-to-date"],
    )
    assert.equal(header(answer, "electric-has-data"), "false")
    assert.equal(header(answer, "electric-up-to-date"), "")
    assert.ok(header(answer, "electric-schema"))
  }),
  test(41, "changes-only", "tells no rows of the snapshot, and later changes", async (c) => {
    const table = await c.items()
    const query = { table, log: "changes_only" }
    const { messages } = await c.follow(query)
    assert.deepEqual(
      messages.map((message) => message.headers["control"]),
      ["snapshot-end", "up-to-date"],
    )
    const [change] = await c.changesAfter(query, [`update ${table} set n = 1 where id = 2`], 1)
    assert.deepEqual([change?.headers["operation"], change?.value], ["update", { id: "2", n: "1" }])
  }),
  {
    ...test(53, "chunks", "cuts a snapshot into chunks that are alike when repeated", async (c) => {
      const table = await c.table("id int primary key, t text")
      await c.sql(`insert into ${table} select i, repeat('x', 100) from generate_series(1, 60) as i`)
      const server = c.servers.chunk ?? assert.fail()
      const { answers, messages, handle } = await c.follow({ table }, server)
      assert.ok(answers.length > 4, `${answers.length} answers`)
      assert.equal(new Set(changesOf(messages).map((row) => row.key)).size, 60)
      for (const [n, answer] of answers.slice(0, -1).entries()) {
        const offset = n === 0 ? "-1" : `0_${n - 1}`
        const again = await c.get({ table, handle, offset }, {}, server)
        assert.equal(again.text, answer.text)
      }
    }),
    needs: "chunk",
  },
  {
    ...test(52, "prefetch", "serves two consecutive chunks asked for at once", async (c) => {
      const table = await c.table("id int primary key, t text")
      await c.sql(`insert into ${table} select i, repeat('x', 100) from generate_series(1, 60) as i`)
      const server = c.servers.chunk ?? assert.fail()
      const { handle } = await c.follow({ table }, server)
      const asked = ["0_0", "0_1"].map((offset) => c.get({ table, handle, offset }, {}, server))
      const [first, second] = await Promise.all(asked)
      assert.deepEqual(
        [first, second].map((one) => one && header(one, "electric-offset")),
        ["0_1", "0_2"],
      )
    }),
    needs: "chunk",
  },
  {
    ...test(
      54,
      "cut-transaction",
      "lacks an up-to-date where an answer ends within a transaction",
      async (c) => {
        const table = await c.table("id int primary key, t text")
        const server = c.servers.chunk ?? assert.fail()
        const start = await c.follow({ table }, server)
        await c.sql(`insert into ${table} select i, repeat('x', 100) from generate_series(1, 60) as i`)
        await c.changes(await c.follow({ table }), (messages) => messages.length >= 0)
        const end = await c.catchUp({ ...start, answers: [] }, server)
        assert.equal(changesOf(end.messages).length, 60)
        assert.ok(end.answers.length > 1)
        for (const answer of end.answers.slice(0, -1))
          assert.equal(header(answer, "electric-up-to-date"), null)
      },
    ),
    needs: "chunk",
  },
]
