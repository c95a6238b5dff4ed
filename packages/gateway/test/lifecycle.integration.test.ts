/** Open requests over real HTTP: how they end when a right, a token or the gateway ends, and what the operator sees of them. */
import { afterEach, describe, expect, it } from "vitest"
import { graph } from "../../engine/examples/workspaces.graph.ts"
import { type AccessEntry, Gateway, type GatewayIdentity, type Rules } from "../src/index.ts"
import { signal, upstream, type Upstream } from "./support/upstream.ts"

const userId = "5ee78a10-0000-4000-8000-000000000001"
const other = "5ee78a10-0000-4000-8000-000000000002"
const mine = "c0c0c0c0-0000-4000-8000-000000000007"

let members = new Set<string>()
let asked = 0
let entries: Array<AccessEntry> = []
afterEach(() => {
  members = new Set()
  asked = 0
  entries = []
})

const isMember = ({ identity }: { readonly identity: GatewayIdentity }): Promise<boolean> => {
  asked += 1
  return Promise.resolve(members.has(identity.params["userId"] ?? ""))
}
const rules: Rules<typeof graph> = {
  user: "public",
  memberships: "public",
  companies: isMember,
  members: isMember,
  people: isMember,
  groups: isMember,
  groupMembers: isMember,
  workspaces: isMember,
  folders: isMember,
}

type Options = Partial<Parameters<typeof Gateway.make<typeof graph, GatewayIdentity>>[0]>

const gatewayTo = (url: string, options: Options = {}): Gateway.Gateway =>
  Gateway.make({
    graph,
    electric: { url },
    identify: (request: Request) => ({ params: { userId: request.headers.get("x-user") ?? userId } }),
    rules,
    onRequest: (entry: AccessEntry) => entries.push(entry),
    ...options,
  })

const ask = (query: string, headers: Record<string, string> = {}, client?: AbortSignal): Request =>
  new Request(`http://gateway.test/v1/shape?${query}`, {
    headers,
    ...(client === undefined ? {} : { signal: client }),
  })
const membersOf = `node=members&b.company_id=${mine}&offset=0_0&live=true`

/** An upstream whose long polls wait until told, and that says when one has come and when one was let go. */
const waiting = async (): Promise<
  Upstream & { came: Promise<void>; gone: Promise<void>; answer: () => void }
> => {
  const [came, gone, answer] = [signal(), signal(), signal()]
  const electric = await upstream((_request, response) => {
    response.once("close", gone.fire)
    came.fire()
    void answer.done.then(() => {
      response.writeHead(200, { "content-type": "application/json" })
      response.end("[]")
    })
  })
  return Object.assign(electric, { came: came.done, gone: gone.done, answer: answer.fire })
}

const codeOf = async (response: Response): Promise<readonly [number, unknown]> => {
  const body = (await response.json()) as { readonly code?: unknown }
  return [response.status, body.code]
}

describe("a revocation", () => {
  it("ends a waiting request of the caller at once with 403, and lets the shape server go", async () => {
    await using electric = await waiting()
    members.add(userId)
    const gateway = gatewayTo(electric.url)
    const answer = gateway(ask(membersOf))
    await electric.came
    members.delete(userId)
    expect(await gateway.revoke({ params: { userId }, bindings: { company_id: mine } })).toBe(1)
    expect(await codeOf(await answer)).toEqual([403, "revoked"])
    await electric.gone
    expect(gateway.open()).toBe(0)
  })

  it("leaves requests that are still allowed, and those of others, where they are", async () => {
    await using electric = await waiting()
    members.add(userId).add(other)
    const gateway = gatewayTo(electric.url)
    const answers = [gateway(ask(membersOf)), gateway(ask(membersOf, { "x-user": other }))]
    await electric.came
    expect(await gateway.revoke({ params: { userId } })).toBe(0)
    electric.answer()
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200])
  })

  it("ends with 401 when nobody is signed in any more", async () => {
    await using electric = await waiting()
    let signedIn = true
    const gateway = gatewayTo(electric.url, {
      identify: () => (signedIn ? { params: { userId }, subject: "session 1" } : null),
    })
    const answer = gateway(ask("node=memberships&offset=0_0&live=true"))
    await electric.came
    signedIn = false
    expect(await gateway.revoke({ subject: "session 1" })).toBe(1)
    expect(await codeOf(await answer)).toEqual([401, "unauthenticated"])
  })

  it("breaks an answer that is streaming", async () => {
    await using electric = await upstream((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write("one")
    })
    members.add(userId)
    const gateway = gatewayTo(electric.url)
    const response = await gateway(ask(membersOf))
    const reader = response.body!.getReader()
    await reader.read()
    members.delete(userId)
    expect(await gateway.revoke({})).toBe(1)
    await expect(reader.read()).rejects.toBeDefined()
    expect(entries).toMatchObject([{ status: 200, bytes: 3, cut: true }])
  })

  it("is heard by a request whose rule was just being asked", async () => {
    await using electric = await waiting()
    const [began, goOn] = [signal(), signal()]
    let first = true
    const gateway = gatewayTo(electric.url, {
      rules: {
        ...rules,
        members: async () => {
          if (!first) return false
          first = false
          began.fire()
          await goOn.done
          return true
        },
      },
    })
    const answer = gateway(ask(membersOf))
    await began.done
    expect(await gateway.revoke({ node: "members" })).toBe(1)
    goOn.fire()
    expect(await codeOf(await answer)).toEqual([403, "revoked"])
    expect(electric.requests).toHaveLength(0)
  })
})

describe("a rule", () => {
  it("is not asked again for the same caller and bindings within its time, and is after a revocation", async () => {
    await using electric = await waiting()
    electric.answer()
    members.add(userId)
    const gateway = gatewayTo(electric.url, { ruleCacheMillis: 60_000 })
    for (let i = 0; i < 2; i++) await (await gateway(ask(membersOf))).text()
    expect(asked).toBe(1)
    await gateway.revoke({ bindings: { company_id: mine } })
    await (await gateway(ask(membersOf))).text()
    expect(asked).toBe(2)
  })

  it("is asked every time it says no", async () => {
    await using electric = await waiting()
    const gateway = gatewayTo(electric.url, { ruleCacheMillis: 60_000 })
    expect((await gateway(ask(membersOf))).status).toBe(403)
    members.add(userId)
    electric.answer()
    expect((await gateway(ask(membersOf))).status).toBe(200)
  })
})

describe("a token", () => {
  it("that expires during a long poll ends it with 401 at once", async () => {
    await using electric = await waiting()
    const gateway = gatewayTo(electric.url, {
      now: () => 1_000,
      identify: () => ({ params: { userId }, expiresAt: 1_050 }),
    })
    const response = await gateway(ask("node=memberships&offset=0_0&live=true"))
    expect(await codeOf(response)).toEqual([401, "unauthenticated"])
    await electric.gone
  })

  it("that has expired lets nobody in", async () => {
    await using electric = await waiting()
    const gateway = gatewayTo(electric.url, {
      now: () => 1_000,
      identify: () => ({ params: { userId }, expiresAt: 1_000 }),
    })
    expect((await gateway(ask("node=memberships&offset=-1"))).status).toBe(401)
    expect(electric.requests).toHaveLength(0)
  })

  it("that lives for years arms no timer that fires at once", async () => {
    await using electric = await waiting()
    electric.answer()
    const gateway = gatewayTo(electric.url, {
      now: () => 0,
      identify: () => ({ params: { userId }, expiresAt: 1e12 }),
    })
    expect((await gateway(ask("node=memberships&offset=0_0&live=true"))).status).toBe(200)
  })
})

describe("limits", () => {
  it("refuse a caller's next request with 429 and a pause, and nobody else's", async () => {
    await using electric = await waiting()
    electric.answer()
    const gateway = gatewayTo(electric.url, { limits: { burst: 1, requestsPerSecond: 0.1 }, now: () => 0 })
    const query = "node=memberships&offset=-1"
    expect((await gateway(ask(query))).status).toBe(200)
    const refused = await gateway(ask(query))
    expect(refused.headers.get("retry-after")).toBe("10")
    expect(await codeOf(refused)).toEqual([429, "rate_limited"])
    expect((await gateway(ask(query, { "x-user": other }))).status).toBe(200)
  })

  it("count a request as open until its last byte, or until its client has gone", async () => {
    await using electric = await waiting()
    const gateway = gatewayTo(electric.url, { limits: { concurrent: 1 } })
    const query = "node=memberships&offset=0_0&live=true"
    const client = new AbortController()
    const answer = gateway(ask(query, {}, client.signal))
    await electric.came
    expect((await gateway(ask(query))).status).toBe(429)
    client.abort()
    await answer
    electric.answer()
    const next = await gateway(ask(query))
    expect(next.status).toBe(200)
    expect((await gateway(ask(query))).status).toBe(429)
    await next.text()
    expect((await gateway(ask(query))).status).toBe(200)
  })
})

describe("closing", () => {
  it("ends waiting requests with 503 and a pause, lets streaming ones finish, and refuses new ones", async () => {
    const [came, more] = [signal(), signal()]
    let count = 0
    await using electric = await upstream((_request, response) => {
      count += 1
      if (count === 2) return came.fire()
      response.writeHead(200)
      response.write("one")
      void more.done.then(() => response.end("two"))
    })
    const gateway = gatewayTo(electric.url)
    const streaming = await gateway(ask("node=memberships&offset=-1"))
    const poll = gateway(ask("node=memberships&offset=0_0&live=true"))
    await came.done
    const closed = gateway.close()
    const ended = await poll
    expect(ended.headers.get("retry-after")).toBe("1")
    expect(await codeOf(ended)).toEqual([503, "closing"])
    expect((await gateway(ask("node=memberships&offset=-1"))).status).toBe(503)
    expect((await gateway.health()).status).toBe(503)
    more.fire()
    expect(await streaming.text()).toBe("onetwo")
    await closed
    expect(gateway.open()).toBe(0)
  })

  it("cuts what still streams when its grace is over", async () => {
    await using electric = await upstream((_request, response) => {
      response.writeHead(200)
      response.write("one")
    })
    const gateway = gatewayTo(electric.url)
    const streaming = await gateway(ask("node=memberships&offset=-1"))
    const body = streaming.text()
    const closed = gateway.close({ graceMillis: 20 })
    await expect(body).rejects.toBeDefined()
    await closed
  })
})

describe("the operator", () => {
  it("reads one line per request, without a binding, a header or an address", async () => {
    await using electric = await waiting()
    electric.answer()
    members.add(userId)
    const gateway = gatewayTo(electric.url)
    await (await gateway(ask(membersOf, { authorization: "Bearer hunter2" }))).text()
    await gateway(ask(`${membersOf}&where=true`))
    await gateway(ask("node=nope"))
    expect(entries).toMatchObject([
      { method: "GET", node: "members", status: 200, code: null, bytes: 2, cut: false },
      { method: "GET", node: null, status: 400, code: "bad_request", upstreamMillis: null },
      { method: "GET", node: null, status: 404, code: "unknown_node" },
    ])
    const seen = JSON.stringify(entries) + gateway.metrics()
    for (const word of [mine, userId, "hunter2", electric.url]) expect(seen).not.toContain(word)
  })

  it("reads counts by node, status and code as Prometheus text", async () => {
    await using electric = await waiting()
    electric.answer()
    const gateway = gatewayTo(electric.url)
    await (await gateway(ask("node=memberships&offset=-1"))).text()
    await gateway(ask("node=members"))
    const text = gateway.metrics()
    const line = (name: string, ...labels: ReadonlyArray<string>): string | undefined =>
      text.split("\n").find((each) => each.startsWith(name) && labels.every((label) => each.includes(label)))
    expect(line("espalier_gateway_requests", 'node="memberships"', 'status="200"', 'code="none"')).toMatch(
      / 1$/,
    )
    expect(line("espalier_gateway_requests", 'status="400"', 'code="bad_request"')).toMatch(/ 1$/)
    expect(line("espalier_gateway_response_bytes", 'node="memberships"')).toMatch(/ 2$/)
    expect(line("espalier_gateway_upstream_seconds_count", 'node="memberships"')).toMatch(/ 1$/)
    expect(line("espalier_gateway_open_requests")).toMatch(/ 0$/)
  })

  it("hears that the shape server is well, or not", async () => {
    const electric = await upstream((request, response) => {
      response.writeHead(request.url === "/v1/health" ? 200 : 500)
      response.end()
    })
    const gateway = gatewayTo(`${electric.url}/v1/shape`)
    expect(await (await gateway.health()).json()).toEqual({ status: "ok", upstream: "active", open: 0 })
    await electric[Symbol.asyncDispose]()
    const degraded = await gateway.health()
    expect(degraded.status).toBe(503)
    expect(await degraded.text()).not.toContain(electric.url)
  })
})

describe("a path", () => {
  it("is matched as it arrives, and another spelling is another path", async () => {
    await using electric = await waiting()
    electric.answer()
    const gateway = gatewayTo(electric.url, { path: "/v1/shape" })
    const statusOf = async (path: string): Promise<number> =>
      (await gateway(new Request(`http://gateway.test${path}?node=memberships&offset=-1`))).status
    expect(await statusOf("/v1/shape")).toBe(200)
    expect(await statusOf("/v1/../v1/shape")).toBe(200)
    for (const path of [
      "/v1/shape/",
      "/v1//shape",
      "/V1/shape",
      "/v1/%73hape",
      "/v1/shape;a",
      "/v1/shape%00",
      "/",
    ]) {
      expect([path, await statusOf(path)]).toEqual([path, 404])
    }
  })
})

describe("a trace", () => {
  it("is passed on when it is well-formed, and not otherwise", async () => {
    await using electric = await waiting()
    electric.answer()
    const gateway = gatewayTo(electric.url)
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await gateway(ask("node=memberships&offset=-1", { traceparent }))
    await gateway(ask("node=memberships&offset=-1", { traceparent: "x; drop table" }))
    expect(electric.requests.map(({ headers }) => headers["traceparent"])).toEqual([traceparent, undefined])
  })
})

describe("a page of another origin", () => {
  it("can read refusals too", async () => {
    const gateway = gatewayTo("http://127.0.0.1:1", {
      cors: { origins: ["https://app.example.com"] },
      identify: () => null,
    })
    const response = await gateway(ask("node=memberships", { origin: "https://app.example.com" }))
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([
      401,
      "https://app.example.com",
    ])
  })
})
