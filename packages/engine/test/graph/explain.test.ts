/** What people read: the tree, the flowchart, and the lookups behind them. */
import { describe, expect, it } from "vitest"
import { graph } from "../../examples/workspaces.graph.ts"
import {
  childrenOf,
  depthOf,
  explainMermaid,
  explainText,
  Graph,
  lineage,
  rootsOf,
  topologicalOrder,
} from "../../src/graph/index.ts"

describe("the demo graph", () => {
  it("is a tree with keys and owners", () => {
    const text = explainText(graph, { describe: (node) => [`table  ${node.table}`] })
    expect(text).toContain("└ companies  companies  id ← company_id\n")
    expect(text).toContain("  │ └ people  people (from users)  id ← user_id  per companies\n")
    expect(text).toContain("key    company-{id}-folders\n")
    expect(text).toContain("table  folders\n")
    expect(text.split("\n").filter((line) => line.includes("policy"))).toHaveLength(9)
  })

  it("is a flowchart with every node and edge", () => {
    const lines = explainMermaid(graph).split("\n")
    expect(lines[0]).toBe("flowchart TD")
    expect(lines.filter((line) => line.includes("-->"))).toHaveLength(7)
    expect(lines.filter((line) => line.includes("-.->"))).toHaveLength(3)
  })

  it("has roots, children, depths and an order", () => {
    expect(rootsOf(graph)).toEqual(["user", "memberships"])
    expect(childrenOf(graph, "companies")).toEqual(["members", "groups", "workspaces"])
    expect(depthOf(graph, "folders")).toBe(3)
    expect(lineage(graph, "people").map(({ id }) => id)).toEqual([
      "people",
      "members",
      "companies",
      "memberships",
    ])
    expect(topologicalOrder(graph)).toEqual([
      ...[
        "user",
        "memberships",
        "companies",
        "members",
        "groups",
        "workspaces",
        "people",
        "groupMembers",
        "folders",
      ],
    ])
  })
})

describe("a broken graph", () => {
  const broken = Graph.fromSpec({
    name: "broken",
    tables: {},
    nodes: {
      a: { table: "t", key: "a", parent: "b", on: {} },
      b: { table: "t", key: "b", parent: "a", on: {} },
    },
  })

  it("can still be looked at", () => {
    expect(lineage(broken, "a").map(({ id }) => id)).toEqual(["a", "b"])
    expect(topologicalOrder(broken)).toEqual([])
    expect(lineage(broken, "constructor")).toEqual([])
    expect(explainText(broken)).toBe("graph broken\nparams none\n")
  })
})
