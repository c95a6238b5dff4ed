import { describe, expect, it } from "vitest"
import { HttpProblem } from "../server/lib/http/HttpProblem.ts"
import { integer, oneOf, optional, parseJson, record, text, uuid } from "../server/lib/http/validate.ts"

const id = "10000000-0000-4000-8000-00000000000a"

/** The problem a call ends in. */
const problemOf = (run: () => unknown): { readonly status: number; readonly body: unknown } => {
  try {
    run()
  } catch (cause) {
    if (cause instanceof HttpProblem) return { status: cause.status, body: cause.toBody() }
    throw cause
  }
  throw new Error("It was accepted.")
}

const role = optional(oneOf("admin", "member"))
const at = optional(integer(0, 9))
const optionalId = optional(uuid)
const read = record({ name: text(5), role, at, id: optionalId })

describe("body validation", () => {
  it("returns the fields it declares, trimmed and lower-cased", () => {
    expect(read({ name: "  Ana ", id: id.toUpperCase(), at: 3, role: null })).toEqual({
      name: "Ana",
      role: undefined,
      at: 3,
      id,
    })
  })

  it.each([
    [{}, "name"],
    [{ name: 7 }, "name"],
    [{ name: "   " }, "name"],
    [{ name: "sixsix" }, "name"],
    [{ name: "a\u0000b" }, "name"],
    [{ name: "\ud800" }, "name"],
    [{ name: "Ana", role: "king" }, "role"],
    [{ name: "Ana", at: 1.5 }, "at"],
    [{ name: "Ana", at: "3" }, "at"],
    [{ name: "Ana", at: 10 }, "at"],
    [{ name: "Ana", id: "1" }, "id"],
    [{ name: "Ana", id: `${id}'; drop table users` }, "id"],
    [{ name: "Ana", nmae: "typo" }, "nmae"],
    [JSON.parse('{"name":"Ana","__proto__":{"id":"x"}}') as unknown, "__proto__"],
  ])("refuses %j and names the field", (body, field) => {
    expect(problemOf(() => read(body))).toMatchObject({ status: 400, body: { code: "bad_request", field } })
  })

  it.each([[[]], [null], ["text"], [7], [true]])("refuses %j, which is no object", (body) => {
    const message = "The body must be a JSON object."
    expect(problemOf(() => read(body))).toMatchObject({ status: 400, body: { message } })
  })

  it("counts characters, not UTF-16 units", () => {
    const trees = "\u{1f333}".repeat(5)
    expect(read({ name: trees }).name).toBe(trees)
  })

  it("reads JSON, an absent body as an empty object, and refuses the rest", () => {
    expect(parseJson('{"a":1}')).toEqual({ a: 1 })
    expect(parseJson(undefined)).toEqual({})
    expect(problemOf(() => parseJson("{"))).toMatchObject({
      body: { message: "The body is not valid JSON." },
    })
    expect(problemOf(() => parseJson(`"${"x".repeat(70_000)}"`)).status).toBe(400)
  })
})
