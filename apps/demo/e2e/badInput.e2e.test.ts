/**
 * What goes wrong around the demo: a missing worker bundle, a corrupt cookie, malformed bodies, questions a client may not
 * ask. Each is a clear answer, and nothing that was there is lost.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import type { Browser, BrowserContext } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { launchChromium, openTab, signIn, untilState, within } from "./support/browser.ts"
import { freePort, root, startDemo, type Demo } from "./support/demo.ts"
import { amara, call, change, cobalt, harbor, untilEqual } from "./support/truth.ts"

describe("The demo with bad input", () => {
  let demo: Demo
  let browser: Browser
  let context: BrowserContext
  let cookie = ""

  beforeAll(async () => {
    ;[demo, browser] = await Promise.all([startDemo(), launchChromium()])
    context = await browser.newContext()
    const response = await fetch(`${demo.url}/api/sign-in`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ userId: amara }),
    })
    cookie = (response.headers.get("set-cookie") ?? "").split(";")[0] ?? ""
  })
  afterAll(async () => {
    await browser?.close()
    await demo?.stop()
  })

  const shape = (search: string, headers: Readonly<Record<string, string>> = { cookie }): Promise<Response> =>
    fetch(`${demo.url}/v1/shape?${search}`, { headers })

  it("says that the local database did not start when the worker's bundle is missing, and recovers", async () => {
    await context.route("**/workers/pglite.bundle.js", (route) =>
      route.fulfill({ status: 404, body: "not found" }),
    )
    const tab = await openTab(context, demo.url)
    await tab.page.locator(`[data-testid=sign-in-as][data-user="${amara}"]`).click({ timeout: within.start })
    await tab.page.getByTestId("host-failed").waitFor({ timeout: within.start })
    expect(await tab.page.getByTestId("host-failed").textContent()).toMatch(/pglite\.bundle\.js|worker/i)
    await context.unroute("**/workers/pglite.bundle.js")
    await tab.page.reload()
    await untilState(tab.page, "live", within.start)
    await untilEqual(tab.page, demo.url, amara)
    await tab.page.close()
  })

  it("asks who one is again when the cookie is corrupt, and keeps the rows of the database", async () => {
    const good = await context.cookies()
    for (const value of ["nonsense", "v1.a.b.c", `${good[0]?.value.slice(0, -2)}xx`, "%00%ff", "v1..."]) {
      const answer = await fetch(`${demo.url}/api/me`, { headers: { cookie: `espalier_session=${value}` } })
      expect([value, answer.status]).toEqual([value, 401])
      expect((await shape("node=user&offset=-1", { cookie: `espalier_session=${value}` })).status).toBe(401)
    }
    await context.addCookies(good.map((one) => ({ ...one, value: "v1.corrupt.cookie.here" })))
    const tab = await openTab(context, demo.url)
    await tab.page.getByTestId("sign-in-as").first().waitFor({ timeout: within.ui })
    await signIn(tab.page, amara)
    await untilState(tab.page, "live", within.start)
    await untilEqual(tab.page, demo.url, amara)
    await tab.page.close()
  })

  it("answers malformed bodies with a code and changes nothing", async () => {
    const truth = await change(demo.url, "GET", `/truth?userId=${amara}`)
    const raw = (path: string, body: string): Promise<Response> =>
      fetch(`${demo.url}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body })
    const bad: ReadonlyArray<readonly [path: string, body: string]> = [
      ["/api/server/companies", "{"],
      ["/api/server/companies", "null"],
      ["/api/server/companies", "[]"],
      ["/api/server/companies", '"text"'],
      ["/api/server/companies", "{}"],
      ["/api/server/companies", '{"name":""}'],
      ["/api/server/companies", '{"name":{"a":1}}'],
      ["/api/server/companies", JSON.stringify({ name: "x".repeat(10_000) })],
      ["/api/server/companies", JSON.stringify({ name: "NUL \u0000", ownerId: amara })],
      ["/api/server/companies", JSON.stringify({ name: "ok", ownerId: "' or 1=1 --" })],
      ["/api/server/companies", JSON.stringify({ name: "ok", ownerId: amara, extra: true })],
      [`/api/server/companies/${harbor}/members`, '{"userId":17}'],
      ["/api/server/memberships", '{"companyId":"__proto__"}'],
      ["/api/sign-in", "{"],
      ["/api/sign-in", '{"userId":"nobody"}'],
    ]
    for (const [path, body] of bad) {
      const answer = await raw(path, body)
      const said = (await answer.json()) as Readonly<Record<string, unknown>>
      expect([path, body.slice(0, 60), answer.status]).toEqual([path, body.slice(0, 60), 400])
      expect(said["code"]).toBe("bad_request")
      expect(JSON.stringify(said)).not.toMatch(/\bat .*\.(ts|mjs|js):\d+/)
    }
    expect((await call(demo.url, "POST", "/api/server/nothing", {})).status).toBe(404)
    expect((await call(demo.url, "DELETE", "/api/server/companies")).status).toBe(405)
    expect(await change(demo.url, "GET", `/truth?userId=${amara}`)).toEqual(truth)
  })

  it("gives shapes by node and bindings only, and only to those who may have them", async () => {
    const codes = async (response: Response): Promise<readonly [number, unknown]> => {
      const text = await response.text()
      try {
        return [response.status, (JSON.parse(text) as Readonly<Record<string, unknown>>)["code"]]
      } catch {
        return [response.status, text]
      }
    }
    expect(await codes(await shape("node=nothing&offset=-1"))).toEqual([404, "unknown_node"])
    expect(await codes(await shape("node=toString&offset=-1"))).toEqual([404, "unknown_node"])
    expect(await codes(await shape(`node=members&b.company_id=${cobalt}&offset=-1`))).toEqual([
      403,
      "revoked",
    ])
    expect((await codes(await shape("node=members&b.company_id=nonsense&offset=-1")))[0]).toBe(400)
    expect((await codes(await shape("node=user&offset=-1", {})))[0]).toBe(401)
    const smuggled = await shape(
      "node=user&offset=-1&table=companies&where=true&columns=id&params[1]=x&userId=y",
    )
    const body = await smuggled.text()
    expect(body).not.toContain(cobalt)
    if (smuggled.status === 200) {
      const ids = [...body.matchAll(/"id":"([0-9a-f-]{36})"/g)].map((match) => match[1])
      expect(ids).toEqual([amara])
      expect(smuggled.headers.get("cache-control")).toMatch(/private.*no-store|no-store.*private/)
    }
  })

  it("offers neither sign-in nor server routes without the demo flag", async () => {
    const port = await freePort()
    const child = spawn(process.execPath, [join(root, "apps/demo/.output/server/index.mjs")], {
      env: {
        ...process.env,
        ...{ PORT: String(port), HOST: "127.0.0.1", SESSION_SECRET: "a secret for the end-to-end tests" },
        ...{
          ELECTRIC_URL: "http://127.0.0.1:1",
          DEV_SQL_URL: "http://127.0.0.1:1/sql",
          DEV_SQL_TOKEN: "none",
          DEMO: "",
        },
      },
      stdio: "ignore",
    })
    const base = `http://127.0.0.1:${port}`
    try {
      const health = (): Promise<number> =>
        fetch(`${base}/api/health`)
          .then((answer) => answer.status)
          .catch(() => 0)
      await expect.poll(health, { timeout: within.start }).toBe(200)
      expect((await call(base, "GET", "/api/server")).status).toBe(404)
      expect((await call(base, "GET", `/api/server/truth?userId=${amara}`)).status).toBe(404)
      expect((await call(base, "GET", "/api/people")).status).toBe(404)
      expect((await call(base, "POST", "/api/sign-in", { userId: amara })).status).toBe(404)
    } finally {
      child.kill("SIGTERM")
      await once(child, "exit")
    }
  })
})
