/** What the compiler says to a graph that skipped validation, and the small guards of the protocol floor. */
import { describe, expect, it } from "vitest"
import { eq, Graph, identity, param } from "../../src/graph/index.ts"
import { CompileError, compileInstance, localQuery, ownership } from "../../src/protocol/compile.ts"
import { isMoveOut, isSnapshotEnd, isUpToDate } from "../../src/protocol/Message.ts"
import { Network, Overloaded, ShapeError, ShapeRejected } from "../../src/protocol/ShapeError.ts"
import { insert, moveIn, moveOut, snapshotEnd } from "../../src/testing/messages.ts"

type Spec = Parameters<typeof Graph.fromSpec>[0]

const graphOf = (change: Partial<Spec>) =>
  Graph.fromSpec({
    name: "unchecked",
    params: { userId: identity("text") },
    tables: { items: { columns: { id: "int4", owner: "text" } } },
    nodes: { items: { table: "items", where: eq("owner", param("userId")), key: "items-{userId}" } },
    ...change,
  })

const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof CompileError) return error.message
    throw error
  }
  throw new Error("nothing was refused")
}

describe("the compiler refuses, by path,", () => {
  const params = { userId: "u" }
  const compile = (change: Partial<Spec>, given: Record<string, string> = params) =>
    refusal(() => compileInstance(graphOf(change), "items", {}, given))
  const items = { table: "items", key: "items" } as const

  it("a node that does not exist", () => {
    expect(refusal(() => compileInstance(graphOf({}), "other", {}, params))).toMatch(/nodes\.other.*items/)
    expect(refusal(() => localQuery(graphOf({}), "toString", {}, params))).toContain("nodes.toString")
  })

  it("a node on a table that does not exist", () => {
    expect(compile({ nodes: { items: { ...items, table: "others" } } })).toContain("nodes.items.table")
  })

  it("an owner that is no ancestor", () => {
    const nodes = { items: { ...items, per: "others" }, others: { table: "items", key: "others" } }
    expect(refusal(() => ownership(graphOf({ nodes }), "items"))).toContain("nodes.items.per")
  })

  it("a parameter without a value, in the filter and in the key", () => {
    expect(compile({}, {})).toContain("params.userId")
    expect(compile({ nodes: { items: { ...items, key: "items-{userId}" } } }, {})).toContain("params.userId")
  })

  it("a parameter the graph does not have, naming those it has", () => {
    expect(compile({}, { userId: "u", chosen: "x" })).toMatch(/params\.chosen.*userId/)
    expect(compile({ params: {}, nodes: { items } }, { chosen: "x" })).toContain("this graph has none")
  })

  it("a key with an unmatched brace or an unbound placeholder", () => {
    expect(compile({ nodes: { items: { ...items, key: "items-{userId" } } })).toContain("unmatched brace")
    expect(compile({ nodes: { items: { ...items, key: "items-{nobody}" } } })).toContain("is unbound")
  })

  it("bindings of a node that takes none, and values that do not fit", () => {
    expect(refusal(() => compileInstance(graphOf({}), "items", { owner: "x" }, params))).toContain(
      "takes none",
    )
    const nodes = {
      items: { ...items, parent: "roots", on: { id: "id" } },
      roots: { ...items, key: "roots" },
    }
    const bound = graphOf({ nodes })
    expect(refusal(() => compileInstance(bound, "items", { id: "seven" }, params))).toContain("int4")
    expect(refusal(() => compileInstance(bound, "items", {}, params))).toContain("missing binding")
    expect(refusal(() => compileInstance(bound, "items", { other: "1" }, params))).toContain("use: id")
  })

  it("a binding to a column the table does not have", () => {
    const nodes = {
      items: { ...items, parent: "roots", on: { gone: "id" } },
      roots: { ...items, key: "roots" },
    }
    expect(refusal(() => compileInstance(graphOf({ nodes }), "items", { gone: "1" }, params))).toContain(
      "gone",
    )
  })
})

describe("messages", () => {
  it("are told apart by shape", () => {
    const upToDate = { headers: { control: "up-to-date" } } as const
    const change = insert("items", { id: "1" })
    expect([upToDate, snapshotEnd(), moveOut([]), moveIn([]), change].map(isUpToDate)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ])
    expect([upToDate, snapshotEnd(), change].map(isSnapshotEnd)).toEqual([false, true, false])
    expect([moveOut([]), moveIn([]), change].map(isMoveOut)).toEqual([true, false, false])
  })
})

describe("a failure", () => {
  const of = (reason: ShapeError["reason"]) => new ShapeError({ key: "k", reason })
  it("says whether waiting can clear it, how long at least, and what happened to whom", () => {
    expect(of(new Network({ message: "reset" })).retryable).toBe(true)
    expect(of(new ShapeRejected({ status: 400, message: "no" })).retryable).toBe(false)
    expect(of(new Overloaded({ status: 503, message: "busy", retryAfterMillis: 5 })).retryAfterMillis).toBe(5)
    expect(of(new Overloaded({ status: 503, message: "busy" })).retryAfterMillis).toBe(0)
    expect(of(new Network({ message: "reset" })).retryAfterMillis).toBe(0)
    expect(of(new Network({ message: "reset" })).message).toBe("k: Network: reset")
  })
})
