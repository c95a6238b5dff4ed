/** Items 25–39, 47, 48, 64: handles, rotation, long polls, event streams, caching. */
import assert from "node:assert/strict"
import { type Case, each, test } from "../Case.ts"
import { changesOf, errorsOf, header, messagesOf, type Query } from "../Context.ts"

const mustRefetch = [{ headers: { control: "must-refetch" } }]

/** Pairs of definitions of one table and whether they are one shape. */
const identities: ReadonlyArray<readonly [string, Query, Query, boolean]> = [
  ["same", {}, {}, true],
  ["columns-order", { columns: "id,n" }, { columns: "n,id" }, true],
  ["where-spacing", { where: "n=1" }, { where: " n  =  1 " }, true],
  ["where-parentheses", { where: "n = 1" }, { where: "(n = 1)" }, true],
  ["name-case", { where: "n = 1" }, { where: "N = 1 AND true" }, false],
  ["other-where", { where: "n = 1" }, { where: "n = 2" }, false],
  ["where-or-none", {}, { where: "n = 1" }, false],
  ["columns-or-none", {}, { columns: "id,title,n" }, false],
  ["other-columns", { columns: "id" }, { columns: "id,n" }, false],
  ["replica", {}, { replica: "full" }, false],
  ["replica-default", {}, { replica: "default" }, true],
  ["log", {}, { log: "changes_only" }, false],
  ["params", { where: "n = $1", "params[1]": "1" }, { where: "n = $1", "params[1]": "2" }, false],
  ["params-equal", { where: "n = $1", "params[1]": "1" }, { where: "n = $1", "params[1]": "1" }, true],
]

/** What makes a handle void, as statements over `T`, and a write after it where one is needed. */
const rotations: ReadonlyArray<readonly [string, Query, string, string | null]> = [
  ["truncate", {}, "truncate T", null],
  ["add-column", {}, "alter table T add x int", "insert into T values (8, 'x', 1, 1)"],
  ["drop-column", {}, "alter table T drop column n", "insert into T values (8, 'x')"],
  ["retype", {}, "alter table T alter n type int8", "insert into T values (8, 'x', 1)"],
]

export const cases: ReadonlyArray<Case> = [
  ...identities.map(([id, a, b, isSame]) =>
    test(
      25,
      id,
      `gives ${JSON.stringify(a)} and ${JSON.stringify(b)} ${isSame ? "one handle" : "two handles"}`,
      async (c) => {
        const table = await c.items()
        const handles = []
        for (const query of [a, b]) {
          handles.push(header(await c.get({ table, offset: "-1", ...query }), "electric-handle"))
        }
        assert.ok(handles[0])
        assert.equal(handles[0] === handles[1], isSame)
      },
    ),
  ),
  test(26, "never-again", "never gives a handle twice", async (c) => {
    const table = await c.items()
    const seen = new Set<string>()
    for (let n = 0; n < 3; n += 1) {
      const { handle } = await c.follow({ table })
      seen.add(handle)
      await c.sql(`truncate ${table}`)
      const void_ = await c.get({ table, handle, offset: "0_0" })
      for (let more = 0; void_.status !== 409 && more < 50; more += 1) {
        if ((await c.get({ table, handle, offset: "0_0" })).status === 409) break
      }
    }
    assert.equal(seen.size, 3)
  }),
  ...each(
    27,
    [
      ["unknown", "1-1"],
      ["nonsense", "x"],
      ["later", "4000000000-9000000000000000"],
    ] as const,
    (_, handle) => `answers the handle ${handle} with 409 and the right one`,
    async (c, _, handle) => {
      const table = await c.items()
      const answer = await c.get({ table, handle, offset: "5_0" })
      assert.deepEqual([answer.status, answer.body], [409, mustRefetch])
      assert.equal(header(answer, "cache-control"), "public, max-age=60, must-revalidate")
      const right = header(answer, "electric-handle")
      assert.equal(header(await c.get({ table, offset: "-1" }), "electric-handle"), right)
    },
  ),
  test(27, "foreign", "answers the handle of another definition with 409", async (c) => {
    const table = await c.items()
    const { handle } = await c.follow({ table })
    const answer = await c.get({ table, where: "n = 1", handle, offset: "0_0" })
    assert.equal(answer.status, 409)
    assert.notEqual(header(answer, "electric-handle"), handle)
  }),
  ...rotations.map(([id, query, statement, write]) =>
    test(29, id, `ends waiting requests with 409 after "${statement}"`, async (c) => {
      const table = await c.items()
      const position = await c.follow({ table, ...query })
      const waiting = c.live(position)
      await c.sql(statement.replaceAll(/\bT\b/gu, table))
      if (write !== null) await c.sql(write.replaceAll(/\bT\b/gu, table))
      let answer = await waiting
      for (let n = 0; answer.status === 200 && n < 5; n += 1) answer = await c.live(position)
      assert.deepEqual([answer.status, answer.body], [409, mustRefetch])
      const again = await c.follow({ table, ...query })
      assert.notEqual(again.handle, position.handle)
    }),
  ),
  test(30, "out-of-bounds", "waits for an offset past the end, then refuses it", async (c) => {
    const position = await c.follow({ table: await c.items() })
    const answer = await c.get({
      ...position.query,
      handle: position.handle,
      offset: "1_0".padStart(20, "9"),
    })
    assert.deepEqual(errorsOf(answer), { offset: ["out of bounds for this shape"] })
  }),
  test(31, "timeout", "answers a poll without news with an up-to-date", async (c) => {
    const position = await c.follow({ table: await c.items() })
    const answer = await c.live(position)
    assert.equal(answer.status, 200)
    assert.deepEqual(
      messagesOf(answer).map((message) => message.headers["control"]),
      ["up-to-date"],
    )
    assert.equal(header(answer, "electric-handle"), position.handle)
    assert.equal(header(answer, "electric-offset"), position.offset)
    assert.equal(header(answer, "electric-up-to-date"), "")
    assert.equal(header(answer, "electric-has-data"), "false")
    assert.equal(header(answer, "electric-schema"), null)
    assert.match(String(header(answer, "electric-cursor")), /^\d+$/u)
  }),
  test(32, "pending", "answers a poll at once when there is something", async (c) => {
    const table = await c.items()
    const position = await c.follow({ table })
    await c.sql(`insert into ${table} values (7, 'a', 1)`)
    await c.changes(position, 1)
    const before = performance.now()
    const answer = await c.live(position)
    assert.equal(changesOf(messagesOf(answer)).length, 1)
    assert.ok(performance.now() - before < 1_000)
  }),
  test(33, "wakes", "wakes every request that waits on a changed shape, and no other", async (c) => {
    const table = await c.items()
    const one = await c.follow({ table, where: "id = 1" })
    const two = await c.follow({ table, where: "id = 2" })
    const [a, b, other] = [c.live(one), c.live(one), c.live(two)]
    await c.sql(`update ${table} set n = 77 where id = 1`)
    for (const answer of await Promise.all([a, b])) assert.equal(header(answer, "electric-has-data"), "true")
    assert.equal(header(await other, "electric-has-data"), "false")
  }),
  ...each(
    34,
    [
      ["none", ""],
      ["small", "1"],
      ["ahead", "9000000000"],
    ] as const,
    (_, cursor) => `gives a cursor above ${cursor || "none"}`,
    async (c, _, cursor) => {
      const table = await c.items()
      const position = await c.follow({ table })
      await c.sql(`insert into ${table} values (7, 'a', 1)`)
      const answer = await c.live(position, { cursor })
      assert.ok(BigInt(String(header(answer, "electric-cursor"))) > BigInt(cursor || "0"))
    },
  ),
  test(35, "no-cursor", "gives no cursor to requests that do not wait", async (c) => {
    const { answers } = await c.follow({ table: await c.items() })
    assert.deepEqual(
      answers.map((answer) => header(answer, "electric-cursor")),
      answers.map(() => null),
    )
  }),
  test(36, "refresh", "answers a refresh at once, with schema and up-to-date", async (c) => {
    const { query, handle, offset } = await c.follow({ table: await c.items() })
    const answer = await c.get({ ...query, handle, offset, cursor: "5" })
    assert.equal(header(answer, "electric-up-to-date"), "")
    assert.ok(header(answer, "electric-schema"))
    assert.equal(messagesOf(answer).length, 1)
  }),
  test(37, "events", "streams changes as single JSON frames that an up-to-date closes", async (c) => {
    const table = await c.items()
    const { handle, offset } = await c.follow({ table })
    const abort = new AbortController()
    const search = new URLSearchParams({ table, handle, offset, live: "true", live_sse: "true" })
    const response = await fetch(`${c.servers.main}/v1/shape?${search}`, { signal: abort.signal })
    assert.equal(response.headers.get("content-type"), "text/event-stream")
    assert.match(String(response.headers.get("electric-cursor")), /^\d+$/u)
    await c.sql(`insert into ${table} values (7, 'a', 1), (8, 'b', 2)`)
    let text = ""
    const decoder = new TextDecoder()
    for await (const bytes of response.body ?? assert.fail()) {
      text += decoder.decode(bytes, { stream: true })
      if (text.includes("up-to-date")) break
    }
    abort.abort()
    const frames = text.split("\n\n").filter((frame) => frame.startsWith("data: "))
    const messages = frames.map(
      (frame) => JSON.parse(frame.slice(6)) as { readonly headers: Record<string, unknown> },
    )
    assert.deepEqual(
      messages.map(({ headers }) => headers["operation"] ?? headers["control"]),
      ["insert", "insert", "up-to-date"],
    )
  }),
  test(47, "not-modified", "answers 304 to the etag of a snapshot, and only when asked", async (c) => {
    const query = { table: await c.items(), offset: "-1" }
    const first = await c.get(query)
    const etag = header(first, "etag") ?? assert.fail("no etag")
    assert.equal(etag, `"${String(header(first, "electric-handle"))}:-1:0_0"`)
    const again = await c.get(query, { headers: { "if-none-match": etag } })
    assert.deepEqual([again.status, again.text], [304, ""])
    assert.equal((await c.get(query, { headers: { "if-none-match": '"x"' } })).status, 200)
  }),
  test(47, "unique", "gives empty polls etags that never repeat", async (c) => {
    const position = await c.follow({ table: await c.items() })
    const tags = [header(await c.live(position), "etag"), header(await c.live(position), "etag")]
    assert.notEqual(tags[0], tags[1])
  }),
  test(48, "start", "lets the first answer be cached for long", async (c) => {
    const answer = await c.get({ table: await c.items(), offset: "-1" })
    const expected = "public, max-age=604800, s-maxage=3600, stale-while-revalidate=2629746"
    assert.equal(header(answer, "cache-control"), expected)
  }),
  test(48, "catch-up", "lets later answers be cached for a minute, live ones for seconds", async (c) => {
    const position = await c.follow({ table: await c.items() })
    const last = position.answers.at(-1) ?? assert.fail()
    assert.equal(header(last, "cache-control"), "public, max-age=60, stale-while-revalidate=300")
    const live = await c.live(position)
    assert.equal(header(live, "cache-control"), "public, max-age=5, stale-while-revalidate=5")
  }),
  test(64, "abort", "goes on serving after clients went away while waiting", async (c) => {
    const table = await c.items()
    const position = await c.follow({ table })
    const aborts = Array.from({ length: 20 }, () => new AbortController())
    const gone = aborts.map((abort) => c.live(position, {}, { signal: abort.signal }).catch(() => null))
    for (const abort of aborts) abort.abort()
    assert.ok((await Promise.all(gone)).every((answer) => answer === null))
    await c.sql(`insert into ${table} values (7, 'a', 1)`)
    assert.equal(changesOf((await c.changes(position, 1)).messages).length, 1)
  }),
]
