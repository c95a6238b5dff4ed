/** How a graph's nodes hang together as far as demand goes: who is bound by which columns of whose rows. Pure. */
import type { GraphData } from "../graph/Graph.ts"
import { ownershipOf } from "../graph/SyncGraph.ts"
import { ownedBy, ownership } from "../protocol/compile.ts"

/** Nodes of one owner that are bound by the same of its columns. */
export interface Link {
  readonly columns: ReadonlyArray<string>
  readonly nodes: ReadonlyArray<LinkedNode>
}

export interface LinkedNode {
  readonly id: string
  /** Binding names in the order of the link's columns. */
  readonly bindings: ReadonlyArray<string>
}

/** The nodes a node owns, by the columns that bind them. */
export const linksOf = (graph: GraphData, node: string): ReadonlyArray<Link> => {
  const links = new Map<
    string,
    { readonly columns: ReadonlyArray<string>; readonly nodes: Array<LinkedNode> }
  >()
  for (const id of ownedBy(graph, node)) {
    const { bindings } = ownership(graph, id)
    const columns = bindings.map(({ column }) => column)
    const name = JSON.stringify(columns)
    const link = links.get(name) ?? { columns, nodes: [] }
    links.set(name, link)
    link.nodes.push({ id, bindings: bindings.map(({ binding }) => binding) })
  }
  return [...links.values()]
}

/** Number of owners above a node. */
export const ownersAbove = (graph: GraphData, node: string): number => {
  const { owner } = ownershipOf(graph, node)
  return owner === null ? 0 : 1 + ownersAbove(graph, owner)
}
