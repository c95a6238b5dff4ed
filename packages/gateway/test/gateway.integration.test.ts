/** The gateway before a real HTTP server: who is let through, what goes up, what comes down, and how it ends. */
import { inspect } from "node:util"
import { gzipSync } from "node:zlib"
import { compileInstance } from "@espalier/engine/protocol"
import { afterEach, describe, expect, it } from "vitest"
import { graph } from "../../engine/examples/workspaces.graph.ts"
import { Gateway, type GatewayFault, GatewayInvalid, type Rules } from "../src/index.ts"
import { signal, upstream, type Upstream } from "./support/upstream.ts"

const userId = "5ee78a10-0000-4000-8000-000000000001"
const mine = "c0c0c0c0-0000-4000-8000-000000000007"
const foreign = "c0c0c0c0-0000-4000-8000-000000000008"
const secret = "s3cr3t/+&?"

const isMine = ({ bindings }: { readonly bindings: { readonly company_id: string } }): boolean =>
  bindings.company_id === mine

const rules: Rules<typeof graph> = {
  user: "public",
  memberships: "public",
  companies: ({ bindings }) => bindings.id === mine,
  members: isMine,
  people: (context) => Promise.resolve(isMine(context)),
  groups: () => {
    throw new Error("database password is hunter2")
  },
  groupMembers: () => Promise.reject(new Error("database password is hunter2")),
  workspaces: isMine,
  folders: isMine,
}

const ask = (query: string, init: RequestInit = {}): Request =>
  new Request(`http://gateway.test/v1/shape?${query}`, init)
const members = `node=members&b.company_id=${mine}&offset=-1`

let faults: Array<GatewayFault> = []
afterEach(() => {
  faults = []
})

const gatewayTo = (
  url: string,
  options: { readonly signedIn?: boolean; readonly upstreamTimeoutMillis?: number } = {},
): Gateway.Gateway =>
  Gateway.make({
    graph,
    electric: { url, secret },
    identify: () => (options.signedIn === false ? null : { params: { userId } }),
    rules,
    onFault: (fault) => faults.push(fault),
    ...(options.upstreamTimeoutMillis === undefined
      ? {}
      : { upstreamTimeoutMillis: options.upstreamTimeoutMillis }),
  })

const rows = (): Promise<Upstream> =>
  upstream((_request, response) => {
    response.writeHead(200, {
      "content-type": "application/json",
      "electric-handle": "1-2",
      "electric-offset": "0_0",
      "electric-schema": "{}",
      "cache-control": "public, max-age=604800",
      etag: '"x"',
      "set-cookie": "a=b",
      "x-internal": "host-7",
    })
    response.end("[]")
  })

const expectError = async (response: Response, status: number, code: string): Promise<string> => {
  const body: unknown = await response.json()
  expect([response.status, body]).toMatchObject([status, { code }])
  expect(response.headers.get("cache-control")).toBe("no-store")
  const message = JSON.stringify(body)
  expect(message).not.toContain("hunter2")
  expect(message).not.toContain(secret)
  return message
}

describe("what goes up", () => {
  it("is the compiled definition, the secret and protocol parameters, each once", async () => {
    await using electric = await rows()
    const hash = compileInstance(graph, "people", { company_id: mine }, { userId }).hash
    const query = `node=people&b.company_id=${mine.toUpperCase()}&def=${hash}&handle=1-2&offset=5_0&live=true&cursor=9&log=full`
    const response = await gatewayTo(electric.url)(
      ask(query, { headers: { cookie: "session=x", accept: "text/event-stream" } }),
    )
    expect(response.status).toBe(200)
    const [request] = electric.requests
    const sent = new URL(request?.url ?? "", electric.url)
    expect(sent.pathname).toBe("/v1/shape")
    expect([...sent.searchParams]).toEqual([
      ["table", "users"],
      ["columns", "id,name,avatar_url"],
      ["where", "id IN (SELECT user_id FROM company_members WHERE company_id = $1)"],
      ["params[1]", mine],
      ["cursor", "9"],
      ["handle", "1-2"],
      ["live", "true"],
      ["offset", "5_0"],
      ["secret", secret],
    ])
    expect(request?.headers.accept).toBe("text/event-stream")
    expect(request?.headers.cookie).toBeUndefined()
  })

  it("takes the user from the identity", async () => {
    await using electric = await rows()
    await gatewayTo(`${electric.url}/v1/shape?source_id=a`)(ask("node=memberships&offset=-1"))
    const sent = new URL(electric.requests[0]?.url ?? "", electric.url)
    expect(sent.pathname).toBe("/v1/shape")
    expect(sent.searchParams.get("params[1]")).toBe(userId)
    expect(sent.searchParams.get("source_id")).toBe("a")
  })
})

describe("what comes down", () => {
  it("is the body, Electric's headers, and nothing a cache may keep", async () => {
    await using electric = await rows()
    const response = await gatewayTo(electric.url)(ask(members))
    expect(await response.text()).toBe("[]")
    expect(Object.fromEntries(response.headers)).toEqual({
      "content-type": "application/json",
      "electric-handle": "1-2",
      "electric-offset": "0_0",
      "electric-schema": "{}",
      "cache-control": "private, no-store",
      etag: '"x"',
    })
  })

  it("has no body for HEAD", async () => {
    await using electric = await rows()
    const response = await gatewayTo(electric.url)(ask(members, { method: "HEAD" }))
    expect([response.status, response.headers.get("electric-handle"), await response.text()]).toEqual([
      200,
      "1-2",
      "",
    ])
    expect(electric.requests[0]?.method).toBe("HEAD")
  })

  it("is decoded when Electric compresses", async () => {
    await using electric = await upstream((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "electric-handle": "1-2" })
      response.end(gzipSync('[{"a":1}]'))
    })
    const response = await gatewayTo(electric.url)(ask(members))
    expect(response.headers.get("content-encoding")).toBeNull()
    expect(response.headers.get("content-length")).toBeNull()
    expect(await response.text()).toBe('[{"a":1}]')
  })

  it("arrives chunk by chunk, as Electric sends it", async () => {
    const second = signal()
    await using electric = await upstream((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write("one")
      void second.done.then(() => response.end("two"))
    })
    const response = await gatewayTo(electric.url)(ask(members))
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader.read()).value).toBe("one")
    second.fire()
    expect((await reader.read()).value).toBe("two")
    expect((await reader.read()).done).toBe(true)
  })

  it("keeps a must-refetch and its new handle", async () => {
    await using electric = await upstream((_request, response) => {
      response.writeHead(409, { "electric-handle": "3-4" })
      response.end('[{"headers":{"control":"must-refetch"}}]')
    })
    const response = await gatewayTo(electric.url)(ask(members))
    expect([response.status, response.headers.get("electric-handle")]).toEqual([409, "3-4"])
    expect(await response.text()).toContain("must-refetch")
  })

  it("keeps Electric's errors and their pause, without the secret", async () => {
    await using electric = await upstream((request, response) => {
      response.writeHead(503, { "retry-after": "7", "content-type": "application/json" })
      response.end(JSON.stringify({ message: `bad ${request.url} ${secret}` }))
    })
    const response = await gatewayTo(electric.url)(ask(members))
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "7"])
    const text = await response.text()
    expect(text).not.toContain("s3cr3t")
    expect(text).toContain("bad /v1/shape")
  })
})

describe("who is let through", () => {
  it.each([
    ["nobody signed in", members, "GET", false, 401, "unauthenticated"],
    ["an unknown node", "node=nope", "GET", true, 404, "unknown_node"],
    ["a company that is not the caller's", members.replace(mine, foreign), "GET", true, 403, "revoked"],
    [
      "the same for a rule that is a promise",
      `node=people&b.company_id=${foreign}`,
      "GET",
      true,
      403,
      "revoked",
    ],
    ["SQL of the client", `${members}&where=true`, "GET", true, 400, "bad_request"],
    ["a subset of the client", `${members}&subset__where=true`, "GET", true, 400, "bad_request"],
    ["a binding that is no uuid", "node=members&b.company_id=1", "GET", true, 400, "bad_request"],
    ["a definition of another release", `${members}&def=00`, "GET", true, 412, "schema_mismatch"],
    ["a rule that throws", `node=groups&b.company_id=${mine}`, "GET", true, 500, "internal"],
    ["a rule that rejects", `node=groupMembers&b.company_id=${mine}`, "GET", true, 500, "internal"],
    ["POST", members, "POST", true, 405, "method_not_allowed"],
    ["DELETE", members, "DELETE", true, 405, "method_not_allowed"],
  ])("not %s", async (_name, query, method, signedIn, status, code) => {
    await using electric = await rows()
    const body = method === "POST" ? { body: '{"table":"users","where":"true","subset":{}}' } : {}
    const response = await gatewayTo(electric.url, { signedIn })(ask(query, { method, ...body }))
    await expectError(response, status, code)
    expect(electric.requests).toHaveLength(0)
  })

  it("tells the operator, not the client, why a rule failed", async () => {
    await using electric = await rows()
    await gatewayTo(electric.url)(ask(`node=groups&b.company_id=${mine}`))
    expect(faults).toMatchObject([
      { where: "rule", node: "groups", cause: { message: expect.stringContaining("hunter2") } },
    ])
  })

  it("hears of a denial before a difference of releases", async () => {
    await using electric = await rows()
    const response = await gatewayTo(electric.url)(ask(`${members.replace(mine, foreign)}&def=00`))
    await expectError(response, 403, "revoked")
  })

  it("not when the identity cannot be read, or a rule says anything but true", async () => {
    await using electric = await rows()
    const broken = Gateway.make({
      graph,
      electric: { url: electric.url },
      identify: () => Promise.reject(new Error("hunter2")),
      rules,
    })
    await expectError(await broken(ask(members)), 500, "internal")
    const vague = Gateway.make({
      graph,
      electric: { url: electric.url },
      identify: () => ({ params: { userId } }),
      rules: { ...rules, members: (() => "yes") as unknown as () => boolean },
    })
    await expectError(await vague(ask(members)), 403, "revoked")
    expect(electric.requests).toHaveLength(0)
  })

  it("answers a preflight without asking anybody", async () => {
    const response = await gatewayTo("http://127.0.0.1:1", { signedIn: false })(
      ask(members, { method: "OPTIONS" }),
    )
    expect([response.status, response.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"])
  })
})

describe("when Electric", () => {
  it("is down, the client hears so", async () => {
    const electric = await rows()
    await electric[Symbol.asyncDispose]()
    await expectError(await gatewayTo(electric.url)(ask(members)), 502, "upstream_unreachable")
    expect(faults).toMatchObject([{ where: "upstream" }])
    // What the operator logs, with every cause below it, must not hold the secret, as it is or as an address spells it.
    const logged = inspect(faults, { depth: 20 })
    for (const spelling of [secret, encodeURIComponent(secret), "s3cr3t"])
      expect(logged).not.toContain(spelling)
  })

  it("gives no answer in time, the client hears so and Electric is let go", async () => {
    const gone = signal()
    await using electric = await upstream((_request, response) => void response.once("close", gone.fire))
    const response = await gatewayTo(electric.url, { upstreamTimeoutMillis: 50 })(ask(members))
    expect(await expectError(response, 504, "upstream_timeout")).toContain("50 ms")
    await gone.done
  })

  it("sends headers in time, its body may take longer than the limit", async () => {
    const second = signal()
    await using electric = await upstream((_request, response) => {
      response.writeHead(200)
      response.write("one")
      void second.done.then(() => response.end("two"))
    })
    const response = await gatewayTo(electric.url, { upstreamTimeoutMillis: 200 })(ask(members))
    const limit = new Promise((resolve) => setTimeout(resolve, 300))
    await limit
    second.fire()
    expect(await response.text()).toBe("onetwo")
  })

  it.each([
    [401, {}],
    [403, {}],
    [404, {}],
    [302, { location: "http://elsewhere.test/?secret=s3cr3t" }],
  ])("answers %i, it is the gateway's fault and not the client's", async (status, headers) => {
    await using electric = await upstream((_request, response) => {
      response.writeHead(status, headers)
      response.end("{}")
    })
    const response = await gatewayTo(electric.url)(ask(members))
    expect(response.headers.get("location")).toBeNull()
    await expectError(response, 502, "upstream_unreachable")
  })

  it("is asked by a client that leaves before the answer, it is let go", async () => {
    const [arrived, gone] = [signal(), signal()]
    await using electric = await upstream((_request, response) => {
      response.once("close", gone.fire)
      arrived.fire()
    })
    const client = new AbortController()
    const answer = gatewayTo(electric.url)(ask(members, { signal: client.signal }))
    await arrived.done
    client.abort()
    await gone.done
    expect((await answer).status).toBe(502)
    expect(faults).toEqual([])
  })

  it("streams to a client that leaves, it is let go", async () => {
    for (const leave of ["abort", "cancel"] as const) {
      const gone = signal()
      await using electric = await upstream((_request, response) => {
        response.once("close", gone.fire)
        response.writeHead(200)
        response.write("one")
      })
      const client = new AbortController()
      const response = await gatewayTo(electric.url)(ask(members, { signal: client.signal }))
      const reader = response.body!.getReader()
      await reader.read()
      if (leave === "abort") client.abort()
      else await reader.cancel()
      await gone.done
      expect(response.status).toBe(200)
    }
  })
})

describe("a gateway does not start", () => {
  const options = { graph, electric: { url: "http://127.0.0.1:1" }, identify: () => null, rules }
  const faultsOf = (change: object): ReadonlyArray<string> => {
    try {
      Gateway.make({ ...options, ...change })
    } catch (error) {
      if (error instanceof GatewayInvalid) return error.faults
    }
    return []
  }

  it("without a rule for every node, or with a rule for none", () => {
    const { folders: _folders, ...rest } = rules
    expect(faultsOf({ rules: { ...rest, foldrs: "public", user: true } })).toEqual([
      expect.stringContaining("rules.folders: "),
      expect.stringContaining("rules.foldrs: "),
      expect.stringContaining("rules.user: "),
    ])
  })

  it("with an address or a time limit that is none", () => {
    expect(faultsOf({ electric: { url: "localhost" } })).toHaveLength(1)
    expect(faultsOf({ electric: { url: "file:///etc/passwd" } })).toHaveLength(1)
    expect(faultsOf({ upstreamTimeoutMillis: 0 })).toHaveLength(1)
    expect(faultsOf({})).toEqual([])
  })

  it("with an invalid graph", () => {
    expect(() => Gateway.make({ ...options, graph: { ...graph, name: "" } })).toThrow('Graph ""')
  })
})
