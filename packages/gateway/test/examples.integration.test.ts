/** The examples of the guide run: tokens, rules, a server, a revocation and an orderly stop. */
import { once } from "node:events"
import { PGlite } from "@electric-sql/pglite"
import { SignJWT } from "jose"
import { expect, it, vi } from "vitest"
import { makeGateway, removeMember } from "../examples/gateway.ts"
import { serve, stop } from "../examples/nodeServer.ts"
import { rulesHold } from "../examples/policy.ts"
import { renameWorkspace } from "../examples/write.ts"
import { signal, upstream } from "./support/upstream.ts"

const secret = "a shared secret of more than thirty-two bytes"
const userId = "10000000-0000-4000-8000-000000000001"
const company = "20000000-0000-4000-8000-000000000001"

it("the guide's rules pass the guide's policy test", async () => {
  await rulesHold()
})

it("the guide's server answers members, ends their requests when they are removed, and stops in order", async () => {
  const written = vi.spyOn(process.stdout, "write").mockReturnValue(true)
  const waiting = signal()
  await using electric = await upstream((request, response) => {
    if (request.url?.includes("live=true") === true) return waiting.fire()
    response.writeHead(200, { "content-type": "application/json" })
    response.end("[]")
  })
  const members = new Set([userId])
  const gateway = makeGateway({
    electricUrl: electric.url,
    electricSecret: "s",
    tokenKey: { secret },
    memberships: { isMember: async (who) => members.has(who) },
  })
  const server = serve(gateway).listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  const base = `http://127.0.0.1:${address.port}`
  const token = await new SignJWT({ sub: userId })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(secret))
  const ask = (query: string): Promise<Response> =>
    fetch(`${base}/v1/shape?node=members&b.company_id=${company}&${query}`, {
      headers: { authorization: `Bearer ${token}` },
    })
  expect((await ask("offset=-1")).status).toBe(200)
  expect((await fetch(`${base}/health`)).status).toBe(200)
  expect(await (await fetch(`${base}/metrics`)).text()).toContain("espalier_gateway_requests")
  const poll = ask("offset=0_0&live=true")
  await waiting.done
  await removeMember(gateway, async () => void members.delete(userId), userId, company)
  expect((await poll).status).toBe(403)
  await stop(server, gateway)
  expect(written).toHaveBeenCalledWith(expect.stringContaining('"node":"members","status":200'))
  written.mockRestore()
})

it("the guide's write route takes a valid name of a member's workspace, and nothing else", async () => {
  const db = await PGlite.create()
  await db.exec(`create table company_members (company_id text, user_id text); create table workspaces (id text, company_id text, name text);
    insert into company_members values ('c1', '${userId}'); insert into workspaces values ('w1', 'c1', 'Old'), ('w2', 'c2', 'Foreign')`)
  const database = { query: (sql: string, params: ReadonlyArray<string>) => db.query(sql, [...params]) }
  const statusOf = async (id: string, body: string, signedIn = true): Promise<number> => {
    const request = new Request(`http://app.test/api/workspaces/${id}`, { method: "PATCH", body })
    const identify = async () => (signedIn ? { params: { userId } } : null)
    return (await renameWorkspace(request, id, { identify, database })).status
  }
  expect(await statusOf("w1", '{"name":"New"}')).toBe(204)
  expect(await statusOf("w2", '{"name":"Mine now"}')).toBe(404)
  expect(await statusOf("w1", '{"name":"New"}', false)).toBe(401)
  for (const body of [
    "",
    "null",
    "[]",
    '{"name":""}',
    '{"name":7}',
    JSON.stringify({ name: "x".repeat(121) }),
  ]) {
    expect([body, await statusOf("w1", body)]).toEqual([body, 400])
  }
  expect((await db.query("select name from workspaces order by id")).rows).toEqual([
    { name: "New" },
    { name: "Foreign" },
  ])
  await db.close()
})
