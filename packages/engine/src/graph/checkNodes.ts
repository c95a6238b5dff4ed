/** Checks nodes and edges of a graph: names, parents, owners, joined columns, policy. Pure; called by `validateGraph` only. */
import { incomparableTypes } from "./checkFilters.ts"
import type { GraphData } from "./Graph.ts"
import type { NodeDef } from "./Node.ts"
import { type GraphProblem, identifierFault, oneOf, problem } from "./problem.ts"
import { columnOf, lineage, nodeOf, pathToOwner, tableOf } from "./SyncGraph.ts"
import { baseType } from "./values.ts"

/**
 * Types the server cannot move rows by: rows and events spell a boolean differently, numeric is hashed by its text, so tags
 * never meet (protocol reference §14.2.4). Enums arrive as `text` here and cannot be told apart from it.
 */
const untaggableTypes: ReadonlySet<string> = new Set(["bool", "numeric"])

const checkName = (node: NodeDef): ReadonlyArray<GraphProblem> => {
  const path = `nodes.${node.id}`
  if (node.id === "root")
    return [problem(path, '"root" is the word for one shape per session', "choose another name")]
  const fault = identifierFault(node.id)
  return fault === null ? [] : [problem(path, fault, "choose a name of 1 to 63 bytes")]
}

const checkTable = (graph: GraphData, node: NodeDef): ReadonlyArray<GraphProblem> =>
  tableOf(graph, node.table) === undefined
    ? [
        problem(
          `nodes.${node.id}.table`,
          `unknown table "${node.table}"`,
          oneOf(Object.keys(graph.tables), "declare it in tables"),
        ),
      ]
    : []

const checkParent = (graph: GraphData, node: NodeDef): ReadonlyArray<GraphProblem> => {
  const path = `nodes.${node.id}`
  const columns = Object.keys(node.on)
  if (node.parent === null) {
    const problems: Array<GraphProblem> = []
    if (columns.length > 0) {
      problems.push(
        problem(`${path}.on`, "the node has an edge but no parent", "name the parent, or remove on"),
      )
    }
    if (node.owner !== null) {
      problems.push(
        problem(`${path}.per`, "the node has no parent, so nobody owns it", "name the parent, or remove per"),
      )
    }
    return problems
  }
  if (nodeOf(graph, node.parent) === undefined) {
    const others = Object.keys(graph.nodes).filter((id) => id !== node.id)
    return [problem(`${path}.parent`, `unknown node "${node.parent}"`, oneOf(others, "declare it in nodes"))]
  }
  if (columns.length > 0) return []
  return [
    problem(
      `${path}.on`,
      "the node has a parent but no edge",
      "name the columns: { child: parent }, or remove parent",
    ),
  ]
}

const checkOwner = (graph: GraphData, node: NodeDef): ReadonlyArray<GraphProblem> => {
  if (node.owner === null || node.parent === null || node.owner === node.parent) return []
  const ancestors = lineage(graph, node.id)
    .slice(1)
    .map(({ id }) => id)
  if (ancestors.includes(node.owner)) return []
  const what = nodeOf(graph, node.owner) === undefined ? "is no node" : "is no ancestor"
  const fix = oneOf([...ancestors, "root"], "")
  return [problem(`nodes.${node.id}.per`, `"${node.owner}" ${what} of "${node.id}"`, fix)]
}

/** Is the node's edge compiled to a subquery, for itself or for a node below whose owner lies above? */
const subqueryEdges = (graph: GraphData): ReadonlySet<string> =>
  new Set(
    Object.values(graph.nodes).flatMap((node) => {
      const path = pathToOwner(graph, node.id)
      return (node.owner === null ? path : path.slice(0, -1)).map(({ id }) => id)
    }),
  )

const checkEdge = (
  graph: GraphData,
  node: NodeDef,
  subqueries: ReadonlySet<string>,
): ReadonlyArray<GraphProblem> => {
  const parent = node.parent === null ? undefined : nodeOf(graph, node.parent)
  const childTable = tableOf(graph, node.table)
  const parentTable = parent === undefined ? undefined : tableOf(graph, parent.table)
  if (childTable === undefined || parentTable === undefined) return []
  return Object.entries(node.on).flatMap(([childName, parentName]) => {
    const path = `nodes.${node.id}.on.${childName}`
    const child = columnOf(childTable, childName)
    const above = columnOf(parentTable, parentName)
    const unknown = [
      ...(child === undefined ? [[childTable, childName] as const] : []),
      ...(above === undefined ? [[parentTable, parentName] as const] : []),
    ]
    if (child === undefined || above === undefined) {
      return unknown.map(([table, name]) =>
        problem(
          path,
          `table "${table.name}" has no column "${name}"`,
          oneOf(Object.keys(table.columns), "declare it"),
        ),
      )
    }
    const subquery = subqueries.has(node.id)
    // Inside a subquery the server takes only exactly equal types (protocol reference §5.2).
    const equal = subquery ? child.type === above.type : baseType(child.type) === baseType(above.type)
    if (!equal) {
      const message = `"${childName}" is ${child.type}, "${parentName}" of "${parentTable.name}" is ${above.type}`
      return [problem(path, message, "join columns of the same type, or correct the declared type")]
    }
    if (incomparableTypes.has(child.type)) {
      return [problem(path, `the server cannot compare type ${child.type}`, "join another column")]
    }
    if (!subquery || !untaggableTypes.has(child.type)) return []
    const message = `the server cannot follow rows through a subquery on type ${child.type}`
    return [problem(path, message, "join another column, or own the node by its parent (remove per)")]
  })
}

const checkPolicy = (node: NodeDef): ReadonlyArray<GraphProblem> => {
  const path = `nodes.${node.id}`
  const problems: Array<GraphProblem> = []
  if (node.sync !== "always" && node.sync !== "onDemand") {
    problems.push(
      problem(`${path}.sync`, `unknown policy "${String(node.sync)}"`, 'use "always" or "onDemand"'),
    )
  }
  if (!Number.isFinite(node.priority)) {
    problems.push(
      problem(
        `${path}.priority`,
        `${node.priority} is no priority`,
        "use a finite number; larger goes first",
      ),
    )
  }
  if (!Number.isFinite(node.keepForMillis) || node.keepForMillis < 0) {
    const message = `${node.keepForMillis} is no duration`
    problems.push(problem(`${path}.keepForMillis`, message, "use milliseconds, 0 or more"))
  }
  return problems
}

/** One problem per cycle, at the member declared first. */
const checkCycles = (graph: GraphData): ReadonlyArray<GraphProblem> => {
  const reported = new Set<string>()
  return Object.values(graph.nodes).flatMap((node) => {
    const path = lineage(graph, node.id)
    if (path.at(-1)?.parent !== node.id || reported.has(node.id)) return []
    for (const { id } of path) reported.add(id)
    const ring = [...path.map(({ id }) => id), node.id].join(" → ")
    return [
      problem(`nodes.${node.id}.parent`, `the nodes form a cycle: ${ring}`, "let one of them be a root"),
    ]
  })
}

/** Nodes, edges and policy. */
export const checkNodes = (graph: GraphData): ReadonlyArray<GraphProblem> => {
  const subqueries = subqueryEdges(graph)
  return [
    ...Object.values(graph.nodes).flatMap((node) => [
      ...checkName(node),
      ...checkTable(graph, node),
      ...checkParent(graph, node),
      ...checkOwner(graph, node),
      ...checkEdge(graph, node, subqueries),
      ...checkPolicy(node),
    ]),
    ...checkCycles(graph),
  ]
}
