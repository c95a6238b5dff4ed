/** Turns a declaration into the data every part reads. Apart from `Graph.ts`, so that decoding JSON can use it without a cycle. */
import type { GraphData, NodesInput, ParamsInput, TablesInput } from "./Graph.ts"
import { normaliseNode } from "./Node.ts"
import { normaliseTable } from "./Table.ts"

/** Normalises a declaration; does not validate it and does not throw on a well-typed one. */
export const fromSpec = (spec: {
  readonly name: string
  readonly params?: ParamsInput
  readonly tables: TablesInput
  readonly nodes: NodesInput
}): GraphData => ({
  name: spec.name,
  params: { ...spec.params },
  tables: Object.fromEntries(
    Object.entries(spec.tables).map(([name, table]) => [name, normaliseTable(name, table)]),
  ),
  nodes: Object.fromEntries(Object.entries(spec.nodes).map(([id, node]) => [id, normaliseNode(id, node)])),
})
