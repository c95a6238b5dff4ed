/**
 * Lookups over a graph: children, ancestors, owners, path, order. It exists so that validation, compiler, reconciler and
 * panel agree on how nodes hang together. Pure and total: an unknown node gives an empty answer, never a throw, because
 * validation runs these on graphs that are still wrong. Must not know of shapes or SQL.
 */
import type { GraphData } from "./Graph.ts"
import type { NodeDef } from "./Node.ts"
import type { ColumnDef, TableDef } from "./Table.ts"

/** A node by id; `undefined` when there is none (also for names every object inherits, such as `constructor`). */
export const nodeOf = (graph: GraphData, id: string): NodeDef | undefined =>
  Object.hasOwn(graph.nodes, id) ? graph.nodes[id] : undefined

/** A local table by name. */
export const tableOf = (graph: GraphData, name: string): TableDef | undefined =>
  Object.hasOwn(graph.tables, name) ? graph.tables[name] : undefined

/** A column of a local table. */
export const columnOf = (table: TableDef | undefined, name: string): ColumnDef | undefined =>
  table !== undefined && Object.hasOwn(table.columns, name) ? table.columns[name] : undefined

/** How an owner's rows bind a node: `binding` is the bound child column, `column` the owner's column it takes its value from. */
export interface OwnerBinding {
  readonly binding: string
  readonly column: string
}

/** The owner of a node's instances and the bindings it supplies; `owner` null for one instance per session. */
export interface Ownership {
  readonly owner: string | null
  readonly bindings: ReadonlyArray<OwnerBinding>
}

/** From a node up to its root, the node itself first. Ends at an unknown parent and at a cycle. */
export const lineage = (graph: GraphData, id: string): ReadonlyArray<NodeDef> => {
  const path: Array<NodeDef> = []
  const seen = new Set<string>()
  let node = nodeOf(graph, id)
  while (node !== undefined && !seen.has(node.id)) {
    seen.add(node.id)
    path.push(node)
    node = node.parent === null ? undefined : nodeOf(graph, node.parent)
  }
  return path
}

/**
 * From a node up to the child of its owner (the path-top), or to its root when it has no owner. The value-bound columns
 * are those of the path-top. Empty when the owner is not an ancestor.
 */
export const pathToOwner = (graph: GraphData, id: string): ReadonlyArray<NodeDef> => {
  const path = lineage(graph, id)
  const owner = path[0]?.owner ?? null
  if (owner === null) return path
  const end = path.findIndex((node, index) => index > 0 && node.id === owner)
  return end === -1 ? [] : path.slice(0, end)
}

/** The node whose `on` columns are the bindings of `id`; `undefined` without an owner. */
export const pathTop = (graph: GraphData, id: string): NodeDef | undefined =>
  nodeOf(graph, id)?.owner == null ? undefined : pathToOwner(graph, id).at(-1)

/** Who owns the instances of a node, and which columns bind them. */
export const ownershipOf = (graph: GraphData, id: string): Ownership => {
  const top = pathTop(graph, id)
  if (top === undefined) return { owner: null, bindings: [] }
  return {
    owner: nodeOf(graph, id)?.owner ?? null,
    bindings: Object.entries(top.on).map(([binding, column]) => ({ binding, column })),
  }
}

/** The column a binding's values must fit: the path-top's own column. */
export const bindingColumn = (graph: GraphData, id: string, binding: string): ColumnDef | undefined => {
  const top = pathTop(graph, id)
  return top === undefined ? undefined : columnOf(tableOf(graph, top.table), binding)
}

/** Nodes whose parent is `id`, in declaration order. */
export const childrenOf = (graph: GraphData, id: string): ReadonlyArray<string> =>
  Object.values(graph.nodes)
    .filter((node) => node.parent === id)
    .map((node) => node.id)

/** Nodes whose owner is `id`, in declaration order. */
export const ownedNodes = (graph: GraphData, id: string): ReadonlyArray<string> =>
  Object.values(graph.nodes)
    .filter((node) => node.owner === id)
    .map((node) => node.id)

/** Nodes without a parent, in declaration order. */
export const rootsOf = (graph: GraphData): ReadonlyArray<string> =>
  Object.values(graph.nodes)
    .filter((node) => node.parent === null)
    .map((node) => node.id)

/** Distance from the root; 0 for roots. */
export const depthOf = (graph: GraphData, id: string): number => Math.max(0, lineage(graph, id).length - 1)

/** All nodes, parents before children, otherwise in declaration order. Nodes on a cycle are left out. */
export const topologicalOrder = (graph: GraphData): ReadonlyArray<string> => {
  const order: Array<string> = []
  const queue = [...rootsOf(graph)]
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
    order.push(id)
    queue.push(...childrenOf(graph, id))
  }
  return order
}
