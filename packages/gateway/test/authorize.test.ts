/** The gateway's decisions as a table: what a query asks for, and every way to ask for what it must not. */
import { client, eq, Graph, identity, param } from "@espalier/engine/graph"
import { describe, expect, it } from "vitest"
import { checkDefinition, compileAsk, maxQueryLength, maxValueLength, readAsk } from "../src/authorize.ts"

const graph = Graph.make({
  name: "shop",
  params: { userId: identity("uuid"), chosen: client("text") },
  tables: {
    shops: { columns: { id: "uuid", owner: "uuid", kind: "text" }, primaryKey: ["id"] },
    items: { columns: { id: "uuid", shop: "uuid", name: "text" }, primaryKey: ["id"] },
  },
  nodes: {
    shops: { table: "shops", where: eq("owner", param("userId")), key: "user-{userId}-shops" },
    items: { table: "items", parent: "shops", on: { shop: "id" }, key: "shop-{id}-items" },
    kinds: { table: "shops", where: eq("kind", param("chosen")), key: "kind-{chosen}" },
  },
})

const userId = "5ee78a10-0000-4000-8000-000000000001"
const shop = "c0c0c0c0-0000-4000-8000-000000000007"

describe("a query", () => {
  it("names a node, its bindings, the client's params, a definition and a position", () => {
    const search = `?node=items&b.shop=${shop}&p.chosen=x&def=abc&offset=0_0&handle=1-2&live=true&cursor=7`
    expect(readAsk(graph, search)).toEqual({
      _tag: "Ask",
      node: "items",
      bindings: { shop },
      clientParams: { chosen: "x" },
      definition: "abc",
      forwarded: { offset: "0_0", handle: "1-2", live: "true", cursor: "7" },
    })
  })

  const items = `node=items&b.shop=${shop}&offset=-1`
  it.each([
    [`${items}&table=users`, '"table"'],
    [`${items}&where=true`, '"where"'],
    [`${items}&%77here=true`, '"where"'],
    [`${items}&WHERE=true`, '"WHERE"'],
    [`${items}&columns=secret`, '"columns"'],
    [`${items}&queryable_columns=secret`, '"queryable_columns"'],
    [`${items}&params[1]=x`, '"params[1]"'],
    [`${items}&params%5B1%5D=x`, '"params[1]"'],
    [`${items}&replica=full`, '"replica"'],
    [`${items}&secret=guess`, '"secret"'],
    [`${items}&api_secret=guess`, '"api_secret"'],
    [`${items}&subset__where=true`, '"subset__where"'],
    [`${items}&subset[where]=true`, '"subset[where]"'],
    [`${items}&subset%5Bwhere%5D=true`, '"subset[where]"'],
    [`${items}&experimental_compaction=true`, '"experimental_compaction"'],
    [`${items}&__proto__=x`, '"__proto__"'],
    [`${items}&=x`, '""'],
    [`${items}&b.shop=${shop}`, '"b.shop" occurs more than once'],
    [`${items}&offset=0_0`, '"offset" occurs more than once'],
    [`${items}&node=shops`, '"node" occurs more than once'],
    [`${items}&b.owner=x`, '"b.owner"'],
    [`${items}&b.__proto__=x`, '"b.__proto__"'],
    [`${items}&p.userId=${userId}`, "comes from the identity"],
    [`${items}&p.nope=1`, '"p.nope"'],
    [`${items}&p.constructor=1`, '"p.constructor"'],
    ["node=items&offset=-1", '"b.shop" is missing'],
    ["offset=-1", '"node" is missing'],
    [`${items}&cursor=${"9".repeat(maxValueLength + 1)}`, '"cursor" is longer'],
    [`${items}&${"x".repeat(maxQueryLength)}=1`, "the query is longer"],
    [`${items}&${"x".repeat(500)}=1`, "…"],
  ])("is refused by name: %s", (search, words) => {
    const refused = readAsk(graph, `?${search}`)
    expect(refused).toMatchObject({ _tag: "Refusal", status: 400, code: "bad_request" })
    expect("message" in refused && refused.message).toContain(words)
    expect("message" in refused && refused.message.length).toBeLessThan(300)
  })

  it.each(["nope", "constructor", "__proto__", "", "ITEMS", "items "])("finds no node %j", (node) => {
    const refused = readAsk(graph, `?node=${encodeURIComponent(node)}`)
    expect(refused).toMatchObject({ status: 404, code: "unknown_node" })
  })
})

describe("an ask", () => {
  const ask = (search: string) => {
    const read = readAsk(graph, search)
    if (read._tag === "Refusal") throw new Error(read.message)
    return read
  }

  it("compiles with params of the identity, whatever the client says", () => {
    const instance = compileAsk(graph, ask("?node=shops"), { userId })
    expect(instance).toMatchObject({
      key: `user-${userId}-shops`,
      definition: { where: "owner = $1", params: { 1: userId } },
    })
  })

  it("ignores what the identity says of a client param, and the other way round", () => {
    const instance = compileAsk(graph, ask("?node=kinds&p.chosen=mine"), { userId, chosen: "theirs" })
    expect(instance).toMatchObject({ definition: { params: { 1: "mine" } } })
  })

  it("is refused when a binding does not fit its type", () => {
    const refused = compileAsk(graph, ask("?node=items&b.shop=1'+or+true"), { userId })
    expect(refused).toMatchObject({ status: 400, code: "bad_request" })
  })

  it("is refused when a client param is missing", () => {
    expect(compileAsk(graph, ask("?node=kinds"), { userId })).toMatchObject({ status: 400 })
  })

  it("fails closed, and shows no value, when the identity lacks a param or holds a bad one", () => {
    expect(compileAsk(graph, ask("?node=shops"), {})).toMatchObject({ status: 500, code: "internal" })
    const refused = compileAsk(graph, ask("?node=shops"), { userId: "hunter2" })
    expect(refused).toMatchObject({ status: 500, code: "internal" })
    expect(JSON.stringify(refused)).not.toContain("hunter2")
  })

  it("may carry the definition the server compiles, or none, and no other", () => {
    const instance = compileAsk(graph, ask("?node=shops"), { userId })
    if (!("hash" in instance)) throw new Error("refused")
    expect(checkDefinition(ask(`?node=shops&def=${instance.hash}`), instance)).toBeNull()
    expect(checkDefinition(ask("?node=shops"), instance)).toBeNull()
    expect(checkDefinition(ask("?node=shops&def="), instance)).toMatchObject({
      status: 412,
      code: "schema_mismatch",
    })
    expect(checkDefinition(ask("?node=shops&def=0"), instance)).toMatchObject({
      status: 412,
      code: "schema_mismatch",
    })
  })

  it("cannot change the log mode", () => {
    const instance = compileAsk(graph, ask("?node=shops"), { userId })
    if (!("hash" in instance)) throw new Error("refused")
    expect(checkDefinition(ask("?node=shops&log=full"), instance)).toBeNull()
    expect(checkDefinition(ask("?node=shops&log=changes_only"), instance)).toMatchObject({ status: 400 })
  })
})
