/** Which pages may read answers: a table of origins against options. */
import { describe, expect, it } from "vitest"
import { corsFaults, type CorsOptions, preflight, withCors } from "../src/cors.ts"

const page = "https://app.example.com"
const asked = (origin: string | null): Request =>
  new Request("http://gateway.test/", origin === null ? {} : { headers: { origin } })

const allowOrigin = (cors: CorsOptions | undefined, origin: string | null): string | null =>
  withCors(cors, asked(origin), new Response("[]")).headers.get("access-control-allow-origin")

describe("a page of another origin", () => {
  it.each([
    ["no option", undefined, page, null],
    ["its origin", { origins: [page] }, page, page],
    ["another origin", { origins: ["https://other.example.com"] }, page, null],
    ["a longer origin that starts with its own", { origins: [page] }, `${page}.evil.test`, null],
    ["its origin on another port", { origins: [page] }, `${page}:8443`, null],
    ["any", { origins: "*" as const }, page, "*"],
    ["its origin, from no page", { origins: [page] }, null, null],
    ["the null origin of a sandbox", { origins: [page] }, "null", null],
  ])("with the option %s", (_name, cors, origin, expected) => {
    expect(allowOrigin(cors, origin)).toBe(expected)
  })

  it("reads the headers that the official client needs, and sends cookies only where that is allowed", () => {
    const open = withCors({ origins: [page], credentials: true }, asked(page), new Response("[]")).headers
    expect(open.get("access-control-expose-headers")).toContain("electric-handle")
    expect(open.get("access-control-expose-headers")).toContain("electric-snapshot")
    expect(open.get("access-control-allow-credentials")).toBe("true")
    const shut = withCors({ origins: [page] }, asked(page), new Response("[]")).headers
    expect(shut.get("access-control-allow-credentials")).toBeNull()
  })

  it("never gets another page's answer from a cache", () => {
    const vary = (origin: string | null): string | null =>
      withCors({ origins: [page] }, asked(origin), new Response("[]")).headers.get("vary")
    expect([vary(page), vary("https://evil.test"), vary(null)]).toEqual(["origin", "origin", "origin"])
  })
})

describe("a preflight", () => {
  it("names methods and headers only where pages of other origins may call", () => {
    expect(preflight(undefined).headers.get("access-control-allow-methods")).toBeNull()
    const { headers, status } = preflight({ origins: [page] })
    expect(status).toBe(204)
    expect(headers.get("access-control-allow-headers")).toBe("authorization, content-type")
    expect(headers.get("access-control-allow-methods")).toBe("GET, HEAD, OPTIONS")
  })
})

describe("the option", () => {
  it.each([
    [{ origins: ["app.example.com"] }],
    [{ origins: ["https://app.example.com/"] }],
    [{ origins: ["https://app.example.com/path"] }],
    [{ origins: ["HTTPS://app.example.com"] }],
    [{ origins: ["*"] }],
    [{ origins: "*" as const, credentials: true }],
  ])("is refused when it cannot mean what it says: %j", (cors) => {
    expect(corsFaults(cors)).toHaveLength(1)
  })

  it("is accepted otherwise", () => {
    expect(corsFaults(undefined)).toEqual([])
    expect(corsFaults({ origins: "*" })).toEqual([])
    expect(corsFaults({ origins: [page, "http://localhost:3000"], credentials: true })).toEqual([])
  })
})
