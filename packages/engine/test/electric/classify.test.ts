/** Every failed answer has exactly one reason. */
import { describe, expect, it } from "vitest"
import {
  classifyAnswer,
  classifyFailure,
  maxRetryAfterMillis,
  maxWordsLength,
  parseRetryAfter,
} from "../../src/adapters/electric/classify.ts"

const now = Date.parse("2026-01-01T00:00:00Z")
const classify = (status: number, body = "", retryAfter: string | null = null) =>
  classifyAnswer({ status, body, retryAfter }, now)

describe("classifyAnswer", () => {
  it.each<[string, number, string, object]>([
    ["400 as refused", 400, "", { _tag: "ShapeRejected", status: 400 }],
    ["401 as missing credentials", 401, '{"code":"unauthenticated"}', { _tag: "Unauthorised" }],
    [
      "403 of a portal as forbidden, rows kept",
      403,
      "<html>Login</html>",
      { _tag: "Forbidden", revoked: false },
    ],
    [
      "403 with another code as forbidden, rows kept",
      403,
      '{"code":"denied"}',
      { _tag: "Forbidden", revoked: false },
    ],
    [
      "403 with the gateway's code as revoked",
      403,
      '{"code":"revoked"}',
      { _tag: "Forbidden", revoked: true },
    ],
    ["404 as refused", 404, '{"code":"unknown_node"}', { _tag: "ShapeRejected", status: 404 }],
    ["405 as refused", 405, "", { _tag: "ShapeRejected", status: 405 }],
    ["407 as network", 407, "", { _tag: "Network" }],
    ["408 as network", 408, "", { _tag: "Network" }],
    ["412 as schema mismatch by code", 412, '{"code":"schema_mismatch"}', { _tag: "SchemaMismatch" }],
    [
      "409 of a gateway as schema mismatch by code",
      409,
      '{"code":"schema_mismatch"}',
      { _tag: "SchemaMismatch" },
    ],
    ["412 without the code as refused", 412, "", { _tag: "ShapeRejected", status: 412 }],
    ["413 as refused", 413, "", { _tag: "ShapeRejected", status: 413 }],
    ["414 as refused", 414, "", { _tag: "ShapeRejected", status: 414 }],
    ["429 as overloaded", 429, "", { _tag: "Overloaded", status: 429 }],
    ["500 as overloaded", 500, "", { _tag: "Overloaded", status: 500 }],
    ["502 as network", 502, "", { _tag: "Network" }],
    ["503 as overloaded", 503, "", { _tag: "Overloaded", status: 503 }],
    [
      "503 of the gateway without an upstream as network",
      503,
      '{"code":"upstream_unreachable"}',
      { _tag: "Network" },
    ],
    ["504 as network", 504, "", { _tag: "Network" }],
    ["511 as network", 511, "", { _tag: "Network" }],
    ["304 out of nowhere as a violation", 304, "", { _tag: "ProtocolViolation" }],
    ["206 as a violation", 206, "", { _tag: "ProtocolViolation" }],
  ])("reads %s", (_name, status, body, expected) => {
    expect(classify(status, body)).toMatchObject(expected)
  })

  it("keeps the server's words, of Electric, the gateway and plain text, and no markup", () => {
    const electric =
      '{"message":"Invalid request","errors":{"where":["At location 3: unknown column x"],"subset":{"limit":["bad"]}}}'
    expect(classify(400, electric).message).toBe(
      'the server answered 400: Invalid request; where: At location 3: unknown column x; subset: {"limit":["bad"]}',
    )
    expect(classify(404, '{"code":"unknown_node","message":"no node foo"}').message).toBe(
      "the server answered 404: no node foo",
    )
    expect(classify(503, '{"error":"database unreachable"}').message).toContain("database unreachable")
    expect(classify(404, "Not found").message).toBe("the server answered 404: Not found")
    expect(classify(502, "<html>Bad gateway</html>").message).toBe("the server answered 502")
    expect(classify(400, "x".repeat(10_000)).message.length).toBeLessThan(maxWordsLength + 50)
  })

  it("carries Retry-After of overload as a floor and leaves it out when there is none", () => {
    expect(classify(503, "", "7")).toMatchObject({ retryAfterMillis: 7000 })
    expect("retryAfterMillis" in classify(503)).toBe(false)
  })
})

describe("parseRetryAfter", () => {
  it.each<[string | null, number | null]>([
    ["0", 0],
    ["1", 1000],
    [" 1.5 ", 1500],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
    ["99999999", maxRetryAfterMillis],
    ["Fri, 01 Jan 2100 00:00:00 GMT", maxRetryAfterMillis],
    ["-5", null],
    ["soon", null],
    ["", null],
    [null, null],
  ])("reads %j as %j", (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected)
  })
})

describe("classifyFailure", () => {
  it("says what Node hides behind the cause", () => {
    const cause = new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED 127.0.0.1:1") })
    expect(classifyFailure(cause)).toMatchObject({
      _tag: "Network",
      message: "fetch failed: connect ECONNREFUSED 127.0.0.1:1",
    })
    expect(classifyFailure("gone")).toMatchObject({ _tag: "Network", message: "gone" })
  })
})
