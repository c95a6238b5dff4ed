/** Items 19–24, 55: what a transaction becomes in the log. */
import assert from "node:assert/strict"
import { type Case, each, test } from "../Case.ts"
import { changesOf, header, type Message, type Query } from "../Context.ts"

const brief = (message: Message): unknown => [
  message.headers["operation"],
  message.value,
  ...(message.old_value === undefined ? [] : [message.old_value]),
]

const one = { id: "1", title: "one", n: "10" }

/** Parameters of the shape, the statement over `T`, and what must be told. */
const transitions: ReadonlyArray<readonly [string, number, Query, string, ReadonlyArray<unknown>]> = [
  ["insert", 19, {}, "insert into T values (9, 'x', 1)", [["insert", { id: "9", title: "x", n: "1" }]]],
  ["update-default", 21, {}, "update T set n = 11 where id = 1", [["update", { id: "1", n: "11" }]]],
  ["update-null", 21, {}, "update T set n = null where id = 1", [["update", { id: "1", n: null }]]],
  ["delete-default", 21, {}, "delete from T where id = 1", [["delete", { id: "1" }]]],
  [
    "update-full",
    21,
    { replica: "full" },
    "update T set n = 11 where id = 1",
    [["update", { ...one, n: "11" }, { n: "10" }]],
  ],
  ["delete-full", 21, { replica: "full" }, "delete from T where id = 1", [["delete", one]]],
  ["enter", 23, { where: "n > 20" }, "update T set n = 21 where id = 1", [["insert", { ...one, n: "21" }]]],
  ["leave", 23, { where: "n > 5" }, "update T set n = 1 where id = 1", [["delete", { id: "1" }]]],
  ["leave-null", 23, { where: "n > 5" }, "update T set n = null where id = 1", [["delete", { id: "1" }]]],
  ["stay", 23, { where: "n > 5" }, "update T set n = 6 where id = 1", [["update", { id: "1", n: "6" }]]],
  [
    "selected",
    23,
    { columns: "id,title" },
    "insert into T values (9, 'x', 1)",
    [["insert", { id: "9", title: "x" }]],
  ],
  [
    "several-states",
    19,
    {},
    "update T set n = 1 where id = 1; update T set n = 2 where id = 1",
    [
      ["update", { id: "1", n: "1" }],
      ["update", { id: "1", n: "2" }],
    ],
  ],
  [
    "insert-delete",
    19,
    {},
    "insert into T values (9, 'x', 1); delete from T where id = 9",
    [
      ["insert", { id: "9", title: "x", n: "1" }],
      ["delete", { id: "9" }],
    ],
  ],
]

/** Statements that must say nothing, followed by one that does. */
const silent: ReadonlyArray<readonly [string, number, Query, string]> = [
  ["no-change", 24, {}, "update T set n = n"],
  ["no-change-full", 24, { replica: "full" }, "update T set title = title"],
  ["unselected", 23, { columns: "id,title" }, "update T set n = 99 where id = 1"],
  ["outside", 23, { where: "id > 100" }, "update T set n = 99"],
  ["outside-insert", 23, { where: "n > 100" }, "insert into T values (50, 'x', 1)"],
]

export const cases: ReadonlyArray<Case> = [
  ...transitions.map(([id, item, query, statement, expected]) =>
    test(item, id, `tells "${statement}" under ${JSON.stringify(query)}`, async (c) => {
      const table = await c.items()
      const statements = statement.replaceAll(/\bT\b/gu, table).split("; ")
      const changes = await c.changesAfter({ table, ...query }, statements, expected.length)
      assert.deepEqual(changes.map(brief), expected)
    }),
  ),
  ...silent.map(([id, item, query, statement]) =>
    test(item, id, `tells nothing of "${statement}" under ${JSON.stringify(query)}`, async (c) => {
      const table = await c.items()
      const position = await c.follow({ table, ...query })
      await c.sql(statement.replaceAll(/\bT\b/gu, table))
      await c.sql(`insert into ${table} values (1000, 'end', 1000)`)
      const { messages } = await c.changes(position, 1)
      assert.deepEqual(
        changesOf(messages).map((message) => message.value?.["id"]),
        ["1000"],
      )
    }),
  ),
  test(19, "headers", "marks entries with lsn, position, transaction and last", async (c) => {
    const table = await c.items()
    const changes = await c.changesAfter(
      { table },
      [`insert into ${table} values (7, 'a', 1)`, `update ${table} set n = 2 where id = 7`],
      2,
    )
    const [first, second] = changes.map((message) => message.headers)
    assert.deepEqual([first?.["last"], second?.["last"]], [undefined, true])
    assert.match(String(first?.["lsn"]), /^\d+$/u)
    assert.equal(typeof first?.["lsn"], "string")
    assert.equal(first?.["lsn"], second?.["lsn"])
    assert.equal(Number(second?.["op_position"]) - Number(first?.["op_position"]), 2)
    assert.deepEqual(first?.["txids"], second?.["txids"])
    const txids: unknown = first?.["txids"]
    assert.ok(Array.isArray(txids) && txids.every((id) => typeof id === "number"))
    assert.deepEqual(first?.["relation"], ["public", table])
  }),
  test(20, "offset", "ends at the offset of its last entry", async (c) => {
    const table = await c.items()
    const position = await c.follow({ table })
    await c.sql(`insert into ${table} values (7, 'a', 1), (8, 'b', 2)`)
    const now = await c.changes(position, 2)
    const last = changesOf(now.messages).at(-1)?.headers ?? {}
    assert.equal(now.offset, `${String(last["lsn"])}_${String(last["op_position"])}`)
  }),
  test(20, "rising", "gives later transactions greater lsns", async (c) => {
    const table = await c.items()
    const position = await c.follow({ table })
    await c.sql(`insert into ${table} values (7, 'a', 1)`)
    const first = await c.changes(position, 1)
    await c.sql(`insert into ${table} values (8, 'a', 1)`)
    const second = await c.changes(first, 1)
    const [a, b] = [first, second].map((one) => BigInt(String(changesOf(one.messages)[0]?.headers["lsn"])))
    assert.ok((b ?? 0n) > (a ?? 0n))
  }),
  test(22, "key-change", "tells a changed key as delete and insert that name each other", async (c) => {
    const table = await c.items()
    const changes = await c.changesAfter({ table }, [`update ${table} set id = 10 where id = 1`], 2)
    const [gone, come] = changes
    const key = (id: string): string => `"public"."${table}"/"${id}"`
    assert.deepEqual(
      [gone?.key, gone?.headers["operation"], gone?.headers["key_change_to"]],
      [key("1"), "delete", key("10")],
    )
    assert.deepEqual(
      [come?.key, come?.headers["operation"], come?.headers["key_change_from"]],
      [key("10"), "insert", key("1")],
    )
    assert.equal(Number(come?.headers["op_position"]) - Number(gone?.headers["op_position"]), 1)
    assert.deepEqual([gone?.headers["last"], come?.headers["last"]], [undefined, true])
    assert.deepEqual(come?.value, { id: "10", title: "one", n: "10" })
  }),
  test(19, "rollback", "tells nothing of a transaction that was rolled back", async (c) => {
    const table = await c.items()
    const position = await c.follow({ table })
    await assert.rejects(
      c.sql(`insert into ${table} values (7, 'a', 1)`, `insert into ${table} values (7, 'a', 1)`),
    )
    await c.sql(`insert into ${table} values (8, 'b', 1)`)
    const { messages } = await c.changes(position, 1)
    assert.deepEqual(
      changesOf(messages).map((message) => message.value?.["id"]),
      ["8"],
    )
  }),
  test(55, "hand-over", "has each row once that is written while snapshots are taken", async (c) => {
    const table = await c.table("id int primary key, n int")
    const writing = (async () => {
      for (let n = 0; n < 30; n += 1) await c.sql(`insert into ${table} values (${n}, ${n})`)
    })()
    const positions = await Promise.all(
      ["id >= 0", "id > -1", "id > -2"].map((where) => c.follow({ table, where })),
    )
    await writing
    for (const position of positions) {
      const seen = changesOf(position.messages).length
      const rest = seen === 30 ? [] : changesOf((await c.changes(position, 30 - seen)).messages)
      const keys = [...changesOf(position.messages), ...rest].map((message) => message.key)
      assert.deepEqual([keys.length, new Set(keys).size], [30, 30])
    }
  }),
  test(23, "keyless", "tells an update without a key as delete and insert", async (c) => {
    const table = await c.table("a int, b text", "(1, 'x')")
    const changes = await c.changesAfter({ table }, [`update ${table} set b = 'y'`], 2)
    assert.deepEqual(
      changes.map((message) => message.headers["operation"]),
      ["delete", "insert"],
    )
  }),
  ...each(
    19,
    [
      ["trigger", "trigger"],
      ["cascade", "cascade"],
    ] as const,
    (id) => `tells what a ${id} writes in the same transaction`,
    async (c, id) => {
      const parent = await c.table("id int primary key", "(1)")
      const child = await c.table(
        `id int primary key, p int references ${parent} on delete cascade`,
        "(5, 1)",
      )
      if (id === "cascade") {
        const changes = await c.changesAfter({ table: child }, [`delete from ${parent}`], 1)
        assert.deepEqual(changes.map(brief), [["delete", { id: "5" }]])
        return
      }
      const name = c.name((one) => `drop function if exists ${one} cascade`)
      await c.sql(
        `create function ${name}() returns trigger language plpgsql as $$ begin insert into ${child} values (new.id + 100, new.id); return null; end $$`,
        `create trigger x after insert on ${parent} for each row execute function ${name}()`,
      )
      const changes = await c.changesAfter({ table: child }, [`insert into ${parent} values (2)`], 1)
      assert.deepEqual(changes.map(brief), [["insert", { id: "102", p: "2" }]])
    },
  ),
  test(21, "toast", "fills in large values that did not change", async (c) => {
    const table = await c.table("id int primary key, n int, t text")
    await c.sql(
      `alter table ${table} alter t set storage external`,
      `alter table ${table} replica identity full`,
      `insert into ${table} values (1, 1, repeat('x', 20000))`,
    )
    const changes = await c.changesAfter({ table, replica: "full" }, [`update ${table} set n = 2`], 1)
    assert.equal(changes[0]?.value?.["t"]?.length, 20_000)
  }),
  test(16, "log-lsn", "names in a live answer the lsn of what it told", async (c) => {
    const table = await c.items()
    const position = await c.follow({ table })
    await c.sql(`insert into ${table} values (7, 'a', 1)`)
    const { messages, answers } = await c.changes(position, 1)
    const lsn = BigInt(String(messages.at(-1)?.headers["global_last_seen_lsn"]))
    assert.ok(lsn >= BigInt(String(changesOf(messages)[0]?.headers["lsn"])))
    assert.equal(header(answers.at(-1) ?? assert.fail(), "electric-has-data"), "true")
  }),
]
