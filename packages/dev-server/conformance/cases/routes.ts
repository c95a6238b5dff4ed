/** Items 1–3, 46, 49, 50, 61: paths, methods, secret, CORS, bodies of POST. */
import assert from "node:assert/strict"
import { type Case, each, test } from "../Case.ts"
import { type Context, header, messagesOf } from "../Context.ts"

const exposed = [
  "electric-cursor",
  "electric-handle",
  "electric-has-data",
  "electric-offset",
  "electric-schema",
  "electric-up-to-date",
  "retry-after",
]

const secretServer = (c: Context): string => c.servers.secret ?? assert.fail("no server with a secret")

const withSecret = (item: number, id: string, name: string, run: Case["run"]): Case => ({
  ...test(item, id, name, run),
  needs: "secret",
})

const spellings = ["/v1/shape/", "//v1/shape", "/v1//shape", "/v1/%73hape", "/%761/shape"]

export const cases: ReadonlyArray<Case> = [
  test(1, "health", "says that it is active, and that this must not be cached", async (c) => {
    const answer = await c.send("/v1/health")
    assert.deepEqual([answer.status, answer.body], [200, { status: "active" }])
    assert.equal(header(answer, "cache-control"), "no-cache, no-store, must-revalidate")
  }),
  withSecret(1, "health-without-secret", "needs no secret for health", async (c) => {
    assert.equal((await c.send("/v1/health", {}, secretServer(c))).status, 200)
  }),
  test(2, "root", "answers the root with an empty 200", async (c) => {
    const answer = await c.send("/")
    assert.deepEqual([answer.status, answer.text], [200, ""])
  }),
  ...each(
    2,
    [
      ["other", "/v1/other"],
      ["deeper", "/v1/shape/x"],
      ["capital", "/V1/shape"],
      ["v2", "/v2/shape"],
    ] as const,
    (_, path) => `answers ${path} with 404`,
    async (c, _, path) => {
      const answer = await c.send(path)
      assert.deepEqual([answer.status, answer.text], [404, "Not found"])
    },
  ),
  ...each(
    2,
    [
      ["put", "PUT"],
      ["patch", "PATCH"],
    ] as const,
    (_, method) => `answers ${method} with 404`,
    async (c, _, method) => {
      assert.equal((await c.send("/v1/shape", { method })).status, 404)
    },
  ),
  ...each(
    2,
    spellings.map((path) => [`spelling-${path}`, path] as const),
    (_, path) => `takes ${path} for /v1/shape`,
    async (c, _, path) => {
      const answer = await c.send(`${path}?table=${await c.items()}&offset=-1`)
      assert.equal(messagesOf(answer).length, 4)
    },
  ),
  ...spellings.map((path) =>
    withSecret(3, `spelling-${path}`, `asks for the secret at ${path}`, async (c) => {
      const answer = await c.send(`${path}?table=${await c.items()}&offset=-1`, {}, secretServer(c))
      assert.equal(answer.status, 401)
    }),
  ),
  ...(
    [
      ["none", "", 401],
      ["wrong", "secret=x", 401],
      ["empty", "secret=", 401],
      ["right", "secret={}", 200],
      ["old-name", "api_secret={}", 200],
      ["last-of-two", "secret={}&secret=x", 401],
      ["both-names", "secret=x&api_secret={}", 401],
    ] as const
  ).map(([id, search, status]) =>
    withSecret(3, id, `answers ${search || "no secret"} with ${status}`, async (c) => {
      const given = search.replace("{}", encodeURIComponent(c.servers.secretValue))
      const answer = await c.get(`table=${await c.items()}&offset=-1&${given}`, {}, secretServer(c))
      assert.equal(answer.status, status)
      if (status === 401) assert.deepEqual(answer.body, { message: "Unauthorized - Invalid API secret" })
    }),
  ),
  withSecret(3, "options", "needs no secret for a preflight", async (c) => {
    assert.equal((await c.send("/v1/shape", { method: "OPTIONS" }, secretServer(c))).status, 204)
  }),
  withSecret(3, "post-body", "does not look for the secret in a body", async (c) => {
    const init = { method: "POST", body: JSON.stringify({ secret: c.servers.secretValue }) }
    assert.equal((await c.get({ table: await c.items(), offset: "-1" }, init, secretServer(c))).status, 401)
  }),
  withSecret(50, "cors-on-401", "sends CORS headers on a 401", async (c) => {
    const answer = await c.get("offset=-1", { headers: { origin: "http://a.example" } }, secretServer(c))
    assert.equal(header(answer, "access-control-allow-origin"), "http://a.example")
  }),
  ...each(
    49,
    exposed.map((name) => [name, name] as const),
    (name) => `exposes ${name} to browsers`,
    async (c, name) => {
      const answer = await c.get({ table: await c.items(), offset: "-1" })
      const list = String(header(answer, "access-control-expose-headers")).split(",")
      assert.ok(list.includes(name), list.join())
    },
  ),
  test(49, "origin", "allows the origin that asks", async (c) => {
    const headers = { origin: "http://b.example" }
    const answer = await c.get({ table: await c.items(), offset: "-1" }, { headers })
    assert.equal(header(answer, "access-control-allow-origin"), "http://b.example")
    const plain = await c.get({ table: await c.items(), offset: "-1" })
    assert.equal(header(plain, "access-control-allow-origin"), "*")
  }),
  test(49, "preflight", "answers a preflight with the methods and for a day", async (c) => {
    const answer = await c.send("/v1/shape", { method: "OPTIONS" })
    assert.equal(answer.status, 204)
    assert.equal(header(answer, "access-control-allow-methods"), "GET, POST, HEAD, DELETE, OPTIONS")
    assert.equal(header(answer, "access-control-max-age"), "86400")
  }),
  test(49, "preflight-headers", "lets browsers send authorization and content-type", async (c) => {
    const answer = await c.send("/v1/shape", {
      method: "OPTIONS",
      headers: { "access-control-request-headers": "authorization,content-type" },
    })
    const allowed = String(header(answer, "access-control-allow-headers"))
    assert.match(allowed, /authorization/u)
    assert.match(allowed, /content-type/u)
  }),
  test(49, "cors-on-400", "sends CORS headers on a 400", async (c) => {
    assert.equal(header(await c.get({}), "access-control-allow-origin"), "*")
  }),
  test(61, "head", "answers HEAD with the headers of GET and no body", async (c) => {
    const query = { table: await c.items(), offset: "-1" }
    const [get, head] = [await c.get(query), await c.get(query, { method: "HEAD" })]
    assert.deepEqual([head.status, head.text], [200, ""])
    for (const name of ["handle", "offset", "schema", "has-data"].map((one) => `electric-${one}`)) {
      assert.equal(header(head, name), header(get, name), name)
    }
    assert.equal(header(head, "etag"), header(get, "etag"))
  }),
  {
    ...test(61, "delete", "deletes a shape, and knows it no more", async (c) => {
      const query = { table: await c.items() }
      const { handle } = await c.follow(query)
      const answer = await c.get({ ...query, handle }, { method: "DELETE" })
      assert.deepEqual([answer.status, answer.text], [202, ""])
      assert.equal((await c.get({ ...query, handle }, { method: "DELETE" })).status, 404)
      assert.notEqual((await c.follow(query)).handle, handle)
    }),
    needs: "delete",
  },
  ...each(
    46,
    [
      ["no-json", "{"],
      ["list", "[]"],
      ["number", "7"],
      ["text", '"x"'],
    ] as const,
    (_, body) => `refuses the body ${body}`,
    async (c, _, body) => {
      assert.equal((await c.post({ table: await c.items(), offset: "-1" }, body)).status, 400)
    },
  ),
  ...each(
    46,
    ["table", "columns", "queryable_columns", "handle", "replica", "log", "live", "secret", "foo"].map(
      (key) => [`key-${key}`, key] as const,
    ),
    (_, key) => `refuses ${key} in a body, where it would override the URL`,
    async (c, _, key) => {
      const answer = await c.post({ table: await c.items(), offset: "-1" }, { [key]: "x" })
      assert.equal(answer.status, 400)
      assert.ok(answer.text.includes(key))
    },
  ),
]
