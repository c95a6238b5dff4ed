import { describe, expect, it } from "vitest"
import { offersFaults } from "../server/lib/DemoServer.ts"
import { faultsOf } from "../server/lib/faults.ts"
import type { Settings } from "../server/lib/settings.ts"

const settings = (over: Partial<Settings> = {}): Settings => ({
  demo: true,
  electric: { url: "http://localhost:30000", secret: null },
  database: { kind: "dev-server", url: "http://localhost:30000/sql", token: "the-token" },
  sessionSecret: undefined,
  pgliteName: "espalier",
  dataDir: ".data",
  ...over,
})

describe("breaking the demo's server on purpose", () => {
  it("is offered only in a demo on the embedded server", () => {
    expect(offersFaults(settings())).toBe(true)
    expect(offersFaults(settings({ demo: false }))).toBe(false)
    expect(offersFaults(settings({ database: { kind: "postgres", url: "postgresql://x" } }))).toBe(false)
  })

  it("asks the sync server with the token, and never tells the token", async () => {
    const asked: Array<readonly [string, string, string | null]> = []
    const answers = [
      Response.json({ id: "1" }, { status: 201 }),
      new Response(null, { status: 204 }),
      Response.json({ code: "bad_request", message: "latency needs millis" }, { status: 400 }),
      Response.json({ message: "wrong token the-token" }, { status: 401 }),
    ]
    const fetch: typeof globalThis.fetch = async (input, init) => {
      asked.push([init?.method ?? "", String(input), new Headers(init?.headers).get("x-espalier-dev")])
      const answer = answers.shift()
      if (answer === undefined) throw new Error("connection refused")
      return answer
    }
    const { ask } = faultsOf(settings(), fetch)
    expect(await ask("POST", { kind: "drop" }, null)).toEqual({ status: 201, body: { id: "1" } })
    expect(await ask("DELETE", undefined, "1")).toEqual({ status: 200, body: {} })
    await expect(ask("POST", { kind: "latency" }, null)).rejects.toMatchObject({
      status: 400,
      message: "latency needs millis",
    })
    await expect(ask("GET", undefined, null)).rejects.toMatchObject({
      status: 502,
      message: expect.not.stringContaining("the-token"),
    })
    await expect(ask("GET", undefined, null)).rejects.toMatchObject({ status: 503 })
    expect(asked.slice(0, 2)).toEqual([
      ["POST", "http://localhost:30000/faults", "the-token"],
      ["DELETE", "http://localhost:30000/faults?id=1", "the-token"],
    ])
  })
})
