/** A gateway never hears SQL, Electric hears the whole definition, and equal shapes have equal addresses. */
import { describe, expect, it } from "vitest"
import { requestFacts, shapeUrl } from "../../src/adapters/electric/urls.ts"
import { contractInstance } from "../../src/testing/shapeSourceContract.ts"

const instance = contractInstance("items")
const params = (url: URL) => Object.fromEntries(url.searchParams)

describe("shapeUrl", () => {
  it("names node, bindings and definition hash to a gateway, and nothing else", () => {
    const url = shapeUrl("gateway", "https://app.test/v1/shape", instance)
    expect(params(url)).toEqual({ node: "items", "b.owner": "7", def: instance.hash })
  })

  it("sends Electric table, where, params and quoted columns", () => {
    const odd = { ...instance, definition: { ...instance.definition, columns: ["id", 'we"ird', "a,b"] } }
    expect(params(shapeUrl("electric", "https://app.test/v1/shape", odd, { secret: "s" }))).toEqual({
      table: "items",
      where: "owner = $1",
      "params[1]": "7",
      columns: '"id","we""ird","a,b"',
      secret: "s",
    })
  })

  it("keeps parameters the endpoint already has", () => {
    const url = shapeUrl("gateway", "https://app.test/v1/shape?tenant=4", instance)
    expect(url.searchParams.get("tenant")).toBe("4")
  })
})

describe("requestFacts", () => {
  it("reads back what the client asks for; a handle beside the start does not count", () => {
    const read = (query: string) => requestFacts(new URL(`https://app.test/?${query}`))
    expect(read("offset=-1&handle=h")).toEqual({ live: false, offset: "-1", handle: null })
    expect(read("offset=5_0&handle=h&live=true&cursor=1")).toEqual({ live: true, offset: "5_0", handle: "h" })
  })
})
