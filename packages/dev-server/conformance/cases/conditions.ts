/** Items 11, 23, 57–59: what conditions select, in the snapshot and in the log, and how subqueries move rows. */
import assert from "node:assert/strict"
import { type Case, test } from "../Case.ts"
import { changesOf, errorsOf, type Message, sortedIds, tagsOf } from "../Context.ts"

const columns =
  "id int primary key, n int, t text, b bool, d date, a int[], u uuid, f float8, m numeric, ts timestamptz"
const uuid = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`
const rows = [
  `(1, 10, 'one', true, '2024-01-01', '{1,2}', '${uuid(1)}', 1.5, 1.10, '2024-01-01 00:00:00+00')`,
  `(2, null, 'Two', false, '2024-02-01', '{}', '${uuid(2)}', -2, 2, '2024-02-01 00:00:00+00')`,
  `(3, 30, null, null, null, null, null, null, null, null)`,
]

/** A condition and the ids it selects. */
const conditions: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["true", ["1", "2", "3"]],
  ["false", []],
  ["id = 1", ["1"]],
  ["id <> 1", ["2", "3"]],
  ["n > 10", ["3"]],
  ["n >= 10", ["1", "3"]],
  ["n < 30", ["1"]],
  ["n = 10 OR n = 30", ["1", "3"]],
  ["n = 10 AND t = 'one'", ["1"]],
  ["NOT n = 10", ["3"]],
  ["n IS NULL", ["2"]],
  ["n IS NOT NULL", ["1", "3"]],
  ["b", ["1"]],
  ["NOT b", ["2"]],
  ["b IS TRUE", ["1"]],
  ["b IS NOT TRUE", ["2", "3"]],
  ["b IS FALSE", ["2"]],
  ["b IS UNKNOWN", ["3"]],
  ["b = true", ["1"]],
  ["n IS DISTINCT FROM 10", ["2", "3"]],
  ["n IS NOT DISTINCT FROM NULL", ["2"]],
  ["id IN (1, 3)", ["1", "3"]],
  ["id NOT IN (1, 3)", ["2"]],
  ["t IN ('one', 'x')", ["1"]],
  ["id BETWEEN 2 AND 3", ["2", "3"]],
  ["id NOT BETWEEN 2 AND 3", ["1"]],
  ["id BETWEEN SYMMETRIC 3 AND 2", ["2", "3"]],
  ["t LIKE 'o%'", ["1"]],
  ["t ILIKE 't%'", ["2"]],
  ["t NOT LIKE 'o%'", ["2"]],
  ["t NOT ILIKE 'T%'", ["1"]],
  ["lower(t) = 'two'", ["2"]],
  ["upper(t) = 'ONE'", ["1"]],
  ["t || '!' = 'one!'", ["1"]],
  ["n + 1 = 11", ["1"]],
  ["n - 1 = 9", ["1"]],
  ["n * 2 = 60", ["3"]],
  ["n / 3 = 10", ["3"]],
  ["n & 2 = 2", ["1", "3"]],
  ["coalesce(n, 5) = 5", ["2"]],
  ["greatest(id, 2) = 2", ["1", "2"]],
  ["least(id, 2) = 2", ["2", "3"]],
  ["a @> '{1}'", ["1"]],
  ["a <@ '{1,2,3}'", ["1", "2"]],
  ["a && '{2}'", ["1"]],
  ["a = '{1,2}'", ["1"]],
  ["a[1] = 1", ["1"]],
  ["1 = ANY(a)", ["1"]],
  ["id = ANY('{1,2}')", ["1", "2"]],
  ["d > '2024-01-15'", ["2"]],
  ["d = '2024-01-01'::date", ["1"]],
  [`u = '${uuid(1)}'`, ["1"]],
  ["f > 0.5", ["1"]],
  ["m = 1.1", ["1"]],
  ["id::text = '1'", ["1"]],
  ["'2'::int4 = id", ["2"]],
  ["ts > '2024-01-15T00:00:00Z'", ["2"]],
  ["(n = 10 OR n IS NULL) AND (b OR t = 'Two')", ["1", "2"]],
  ["NOT (n = 10 OR b)", []],
  ["NOT (n IS NULL OR b IS TRUE)", ["3"]],
]

const slug = (text: string): string => text.replaceAll(/[^a-z0-9]+/giu, "-").slice(0, 40)

const md5 = /^[0-9a-f]{32}$/u

const hasMove =
  (event: string) =>
  (messages: ReadonlyArray<Message>): boolean =>
    messages.some((message) => message.headers["event"] === event)

export const cases: ReadonlyArray<Case> = [
  ...conditions.flatMap(([where, expected], index) => [
    test(11, `where-${index}-${slug(where)}`, `selects by "${where}"`, async (c) => {
      const table = await c.table(columns, ...rows)
      assert.deepEqual(sortedIds((await c.follow({ table, where })).messages), expected)
    }),
    test(23, `where-log-${index}-${slug(where)}`, `selects by "${where}" in the log`, async (c) => {
      const table = await c.table(columns)
      const position = await c.follow({ table, where })
      // A last row that every condition here selects or not closes the reading: it comes through a second shape.
      const all = await c.follow({ table })
      await c.sql(`insert into ${table} values ${rows.join(", ")}`)
      await c.changes(all, 3)
      const { messages } = await c.catchUp({ ...position, answers: [] })
      assert.deepEqual(sortedIds(messages), expected)
    }),
  ]),
  test(11, "params", "puts parameters in as values, never as text", async (c) => {
    const table = await c.table(columns, ...rows)
    const { messages } = await c.follow({ table, where: "t = $1", "params[1]": "x' OR 'a' = 'a" })
    assert.deepEqual(sortedIds(messages), [])
  }),
  ...(["plain", "negated"] as const).flatMap((kind) => {
    const [leaving, entering] = kind === "plain" ? ["move-out", "move-in"] : ["move-in", "move-out"]
    const not = kind === "plain" ? "" : "NOT "
    const item = kind === "plain" ? 57 : 58
    return [
      test(item, `${kind}-tags`, `tags the rows of a ${kind} subquery`, async (c) => {
        const inner = await c.table("v int", "(1)")
        const table = await c.table("id int primary key, v int", "(1, 1)", "(2, 2)")
        const { messages } = await c.follow({ table, where: `v ${not}IN (SELECT v FROM ${inner})` })
        const [row] = changesOf(messages)
        assert.deepEqual(sortedIds(messages), [kind === "plain" ? "1" : "2"])
        assert.match(String(tagsOf(row)[0]), md5)
        assert.deepEqual(row?.headers["active_conditions"], [true])
      }),
      test(item, `${kind}-leaves`, `moves rows ${String(leaving)} when a value leaves`, async (c) => {
        const inner = await c.table("v int", "(1)", "(9)")
        const table = await c.table("id int primary key, v int", "(1, 1)", "(2, 2)")
        const position = await c.follow({ table, where: `v ${not}IN (SELECT v FROM ${inner})` })
        await c.sql(`delete from ${inner} where v = 1`)
        const { messages } = await c.changes(
          position,
          (all) => hasMove(String(leaving))(all) && (kind === "plain" || changesOf(all).length > 0),
        )
        const event = messages.find((message) => message.headers["event"] === leaving)
        const [pattern] = (event ?? assert.fail("no event")).headers["patterns"] as ReadonlyArray<{
          readonly pos: number
          readonly value: string
        }>
        assert.equal(pattern?.pos, 0)
        const row = changesOf(kind === "plain" ? position.messages : messages).find(
          (one) => one.value?.["id"] === "1",
        )
        assert.deepEqual(row?.headers["tags"], [pattern?.value])
      }),
      test(item, `${kind}-enters`, `moves rows ${String(entering)} when a value comes`, async (c) => {
        const inner = await c.table("v int", "(9)")
        const table = await c.table("id int primary key, v int", "(1, 1)", "(2, 2)")
        const position = await c.follow({ table, where: `v ${not}IN (SELECT v FROM ${inner})` })
        await c.sql(`insert into ${inner} values (1)`)
        const isDone = (all: ReadonlyArray<Message>): boolean =>
          hasMove(String(entering))(all) && (kind === "negated" || changesOf(all).length > 0)
        const { messages } = await c.changes(position, isDone)
        assert.ok(hasMove(String(entering))(messages))
        if (kind === "negated") return
        const [row] = changesOf(messages)
        assert.deepEqual([row?.value, row?.headers["is_move_in"]], [{ id: "1", v: "1" }, true])
        assert.deepEqual([row?.headers["operation"], row?.headers["lsn"]], ["insert", undefined])
        assert.ok(messages.some((message) => message.headers["control"] === "snapshot-end"))
      }),
    ]
  }),
  test(57, "or", "tells only the event where another branch shows the row already", async (c) => {
    const inner = await c.table("v int", "(9)")
    const table = await c.table("id int primary key, v int, f bool not null", "(1, 1, true)")
    const position = await c.follow({ table, where: `v IN (SELECT v FROM ${inner}) OR f` })
    const [row] = changesOf(position.messages)
    const [first, second] = tagsOf(row)
    assert.match(String(first), /^[0-9a-f]{32}\/$/u)
    assert.equal(second, "/1")
    assert.deepEqual(row?.headers["active_conditions"], [false, true])
    await c.sql(`insert into ${inner} values (1)`)
    const { messages } = await c.changes(position, hasMove("move-in"))
    assert.deepEqual(changesOf(messages), [])
  }),
  test(57, "and", "gives the plain literal of an AND the slot 1", async (c) => {
    const inner = await c.table("v int", "(1)")
    const table = await c.table("id int primary key, v int", "(1, 1)")
    const { messages } = await c.follow({ table, where: `v IN (SELECT v FROM ${inner}) AND id > 0` })
    const [row] = changesOf(messages)
    assert.match(String(tagsOf(row)[0]), /^[0-9a-f]{32}\/1$/u)
    assert.deepEqual(row?.headers["active_conditions"], [true, true])
  }),
  test(57, "update", "tells an update with the new tags and the removed ones", async (c) => {
    const inner = await c.table("v int", "(1)", "(2)")
    const table = await c.table("id int primary key, v int", "(1, 1)")
    const query = { table, where: `v IN (SELECT v FROM ${inner})` }
    const [before] = changesOf((await c.follow(query)).messages)
    const [update] = await c.changesAfter(query, [`update ${table} set v = 2`], 1)
    assert.equal(update?.headers["operation"], "update")
    assert.deepEqual(update?.headers["removed_tags"], before?.headers["tags"])
    assert.notDeepEqual(update?.headers["tags"], before?.headers["tags"])
  }),
  test(57, "inner-condition", "moves rows when an inner row starts to match its condition", async (c) => {
    const inner = await c.table("v int, ok bool", "(1, false)")
    const table = await c.table("id int primary key, v int", "(1, 1)")
    const position = await c.follow({ table, where: `v IN (SELECT v FROM ${inner} WHERE ok)` })
    assert.deepEqual(sortedIds(position.messages), [])
    await c.sql(`update ${inner} set ok = true`)
    assert.deepEqual(sortedIds((await c.changes(position, 1)).messages), ["1"])
  }),
  test(58, "nested", "passes moves on through nested subqueries", async (c) => {
    const member = await c.table("company int, who int", "(1, 7)")
    const group = await c.table("id int primary key, company int", "(10, 1)", "(20, 2)")
    const table = await c.table("id int primary key, g int", "(100, 10)", "(200, 20)")
    const where = `g IN (SELECT id FROM ${group} WHERE company IN (SELECT company FROM ${member} WHERE who = 7))`
    const position = await c.follow({ table, where })
    assert.deepEqual(sortedIds(position.messages), ["100"])
    await c.sql(`insert into ${member} values (2, 7)`)
    const come = await c.changes(position, 1)
    assert.deepEqual(sortedIds(come.messages), ["200"])
    await c.sql(`delete from ${member} where company = 1`)
    await c.changes(come, hasMove("move-out"))
  }),
  test(59, "both-polarities", "refuses one subquery in both polarities", async (c) => {
    const inner = await c.table("v int")
    const table = await c.table("id int primary key, v int")
    const sub = `IN (SELECT v FROM ${inner})`
    const answer = await c.get({ table, offset: "-1", where: `v ${sub} OR NOT (v ${sub})` })
    assert.match(String(errorsOf(answer)["where"]), /polarity/u)
  }),
  ...(
    [
      ["order-by", "v IN (SELECT v FROM I ORDER BY v)"],
      ["offset", "v IN (SELECT v FROM I OFFSET 1)"],
      ["distinct", "v IN (SELECT DISTINCT v FROM I)"],
      ["group-by", "v IN (SELECT v FROM I GROUP BY v)"],
      ["join", "v IN (SELECT I.v FROM I, I AS j)"],
      ["expression", "v IN (SELECT v + 1 FROM I)"],
      ["any", "v = ANY (SELECT v FROM I)"],
      ["exists", "EXISTS (SELECT v FROM I)"],
      ["type", "id::text IN (SELECT v FROM I)"],
      ["left-expression", "v + 1 IN (SELECT v FROM I)"],
    ] as const
  ).map(([id, where]) =>
    test(59, `refused-${id}`, `refuses ${where}`, async (c) => {
      const inner = await c.table("v int")
      const table = await c.table("id int primary key, v int")
      const answer = await c.get({ table, offset: "-1", where: where.replaceAll(/\bI\b/gu, inner) })
      assert.equal(answer.status, 400, answer.text)
    }),
  ),
]
