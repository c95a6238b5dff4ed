/**
 * A graph as text for people: an indented tree, and a Mermaid flowchart. Used by the CLI, the panel and the output of failing
 * tests. Pure text building; it says what the graph declares, the compiled SQL comes from the caller (see `describe`).
 */
import type { GraphData } from "./Graph.ts"
import type { NodeDef } from "./Node.ts"
import { childrenOf, rootsOf } from "./SyncGraph.ts"

export interface ExplainOptions {
  /** More lines under a node, for example its compiled condition. */
  readonly describe?: (node: NodeDef) => ReadonlyArray<string>
}

const edgeOf = (node: NodeDef): string =>
  Object.entries(node.on)
    .map(([child, parent]) => `${child} ← ${parent}`)
    .join(", ")

/** Whose rows own one shape each, where it is not the parent. */
const perOf = (node: NodeDef): string | null => {
  if (node.parent === null || node.owner === node.parent) return null
  return `per ${node.owner ?? "root"}`
}

const policyOf = (node: NodeDef): string =>
  `sync ${node.sync}, priority ${node.priority}, kept ${node.keepForMillis} ms`

/** `members  company_members  company_id ← id`: name, table, edge, owner. */
const headline = (graph: GraphData, node: NodeDef): string => {
  const from = graph.tables[node.table]?.from
  const table = from === undefined || from === node.table ? node.table : `${node.table} (from ${from})`
  return [node.id, table, edgeOf(node), perOf(node)].filter((part) => part !== null && part !== "").join("  ")
}

const nodeLines = (
  graph: GraphData,
  node: NodeDef,
  describe: ExplainOptions["describe"],
): ReadonlyArray<string> => [
  headline(graph, node),
  `  key    ${node.key}`,
  ...(describe?.(node) ?? []).map((line) => `  ${line}`),
  `  policy ${policyOf(node)}`,
]

const subtree = (
  graph: GraphData,
  id: string,
  describe: ExplainOptions["describe"],
): ReadonlyArray<string> => {
  const node = graph.nodes[id]
  if (node === undefined) return []
  const children = childrenOf(graph, id)
  const [first = "", ...rest] = nodeLines(graph, node, describe)
  const own = [first, ...rest.map((line) => `${children.length > 0 ? "│" : " "}${line}`)]
  const below = children.flatMap((child, index) => {
    const last = index === children.length - 1
    return subtree(graph, child, describe).map(
      (line, at) => `${at === 0 ? (last ? "└ " : "├ ") : last ? "  " : "│ "}${line}`,
    )
  })
  return [...own, ...below]
}

/** A valid graph as an indented tree. */
export const explainText = (graph: GraphData, options: ExplainOptions = {}): string => {
  const params = Object.entries(graph.params).map(([name, { source, type }]) => `${name} ${type} (${source})`)
  const lines = [
    `graph ${graph.name}`,
    `params ${params.length === 0 ? "none" : params.join(", ")}`,
    "",
    ...rootsOf(graph).flatMap((root) => subtree(graph, root, options.describe)),
  ]
  return lines.map((line) => line.trimEnd()).join("\n")
}

const mermaidText = (text: string): string => `"${text.replaceAll('"', "#quot;")}"`

/** A valid graph as a Mermaid flowchart: solid arrows are edges, dotted ones owners that are not the parent. */
export const explainMermaid = (graph: GraphData): string => {
  // Node names may be Mermaid's own words ("end"), so each node has a number for its id.
  const ids = new Map(Object.keys(graph.nodes).map((id, index) => [id, `n${index}`]))
  const lines = Object.values(graph.nodes).flatMap((node) => {
    const id = ids.get(node.id) ?? ""
    const parent = node.parent === null ? undefined : ids.get(node.parent)
    const owner = node.owner === null || node.owner === node.parent ? undefined : ids.get(node.owner)
    return [
      `  ${id}[${mermaidText(`${node.id}<br/>${node.key}`)}]`,
      ...(parent === undefined ? [] : [`  ${parent} -->|${mermaidText(edgeOf(node))}| ${id}`]),
      ...(owner === undefined ? [] : [`  ${owner} -.->|"owns"| ${id}`]),
    ]
  })
  return ["flowchart TD", ...lines].join("\n")
}
