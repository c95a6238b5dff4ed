/** Checks parameters and tables of a graph. Pure; called by `validateGraph` only. */
import type { GraphData } from "./Graph.ts"
import { parseServerTable } from "./identifiers.ts"
import { type GraphProblem, identifierFault, oneOf, problem, repeated } from "./problem.ts"
import { columnOf } from "./SyncGraph.ts"
import { scalarTypes, type TableDef } from "./Table.ts"

const typeFix = `use one of: ${[...scalarTypes].join(", ")}, or such a type followed by []`

const isColumnType = (type: unknown): boolean =>
  typeof type === "string" && scalarTypes.has(type.endsWith("[]") ? type.slice(0, -2) : type)

/** Graph parameters: names, types, sources. */
export const checkParams = (graph: GraphData): ReadonlyArray<GraphProblem> =>
  Object.entries(graph.params).flatMap(([name, { source, type }]) => {
    const path = `params.${name}`
    const problems: Array<GraphProblem> = []
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      problems.push(problem(path, `"${name}" is no usable parameter name`, "use letters, digits and _"))
    }
    if (!isColumnType(type)) problems.push(problem(path, `unknown type "${type}"`, typeFix))
    if (source !== "identity" && source !== "client") {
      problems.push(problem(path, `unknown source "${String(source)}"`, "use identity(type) or client(type)"))
    }
    return problems
  })

const checkColumns = (table: TableDef): ReadonlyArray<GraphProblem> => {
  const path = `tables.${table.name}.columns`
  const problems: Array<GraphProblem> = []
  const columns = Object.entries(table.columns)
  if (columns.length === 0) problems.push(problem(path, "the table has no columns", "declare its columns"))
  for (const [name, { nullable, type }] of columns) {
    const fault = identifierFault(name)
    if (fault !== null) problems.push(problem(`${path}.${name}`, fault, "choose a name of 1 to 63 bytes"))
    if (!isColumnType(type)) problems.push(problem(`${path}.${name}`, `unknown type "${type}"`, typeFix))
    if (typeof nullable !== "boolean") {
      problems.push(
        problem(`${path}.${name}`, "nullable is neither true nor false", 'write "type" or "type?"'),
      )
    }
  }
  return problems
}

const checkKeyColumns = (table: TableDef): ReadonlyArray<GraphProblem> => {
  const path = `tables.${table.name}.primaryKey`
  const known = oneOf(Object.keys(table.columns), "declare the table's columns first")
  if (table.primaryKey.length === 0) return [problem(path, "the table has no primary key", known)]
  const problems = table.primaryKey.flatMap((name) => {
    const column = columnOf(table, name)
    if (column === undefined) return [problem(path, `unknown column "${name}"`, known)]
    if (!column.nullable) return []
    return [problem(path, `key column "${name}" is nullable`, `declare it as "${column.type}" without "?"`)]
  })
  const twice = repeated(table.primaryKey).map((name) =>
    problem(path, `column "${name}" occurs twice`, "name each key column once"),
  )
  return [...problems, ...twice]
}

const checkIndexes = (table: TableDef): ReadonlyArray<GraphProblem> =>
  table.indexes.flatMap((columns, index) => {
    const path = `tables.${table.name}.indexes.${index}`
    if (columns.length === 0)
      return [problem(path, "the index has no columns", "name its columns or remove it")]
    const unknown = columns
      .filter((name) => columnOf(table, name) === undefined)
      .map((name) =>
        problem(path, `unknown column "${name}"`, oneOf(Object.keys(table.columns), "declare columns")),
      )
    const twice = repeated(columns).map((name) =>
      problem(path, `column "${name}" occurs twice`, "name each column once"),
    )
    return [...unknown, ...twice]
  })

const checkNames = (table: TableDef): ReadonlyArray<GraphProblem> => {
  const problems: Array<GraphProblem> = []
  const path = `tables.${table.name}`
  const fault = identifierFault(table.name)
  if (fault !== null) problems.push(problem(path, fault, "choose a name of 1 to 63 bytes"))
  const parts = parseServerTable(table.from)
  if (parts === null) {
    const fix = 'write "table", "schema.table", or parts with dots in double quotes'
    problems.push(problem(`${path}.from`, `"${table.from}" is no server table`, fix))
  }
  for (const part of parts ?? []) {
    const partFault = identifierFault(part)
    if (partFault !== null)
      problems.push(problem(`${path}.from`, partFault, "choose a name of 1 to 63 bytes"))
  }
  return problems
}

const sameColumns = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): boolean =>
  left.length === right.length && left.every((name) => right.includes(name))

/** A `name` without a schema is in `public`. */
const serverName = (from: string): string => {
  const parts = parseServerTable(from) ?? [from]
  return (parts.length === 1 ? ["public", ...parts] : parts).join("\0")
}

/** Two local tables of one server table speak of the same rows, so they must agree on what identifies a row. */
const checkSharedServerTables = (graph: GraphData): ReadonlyArray<GraphProblem> => {
  const first = new Map<string, TableDef>()
  const problems: Array<GraphProblem> = []
  for (const table of Object.values(graph.tables)) {
    const name = serverName(table.from)
    const other = first.get(name)
    if (other === undefined) first.set(name, table)
    else if (!sameColumns(other.primaryKey, table.primaryKey)) {
      const message = `"${table.name}" and "${other.name}" are from "${table.from}" with different primary keys`
      const fix = `use the server's key in both: ${other.primaryKey.join(", ")}`
      problems.push(problem(`tables.${table.name}.primaryKey`, message, fix))
    }
  }
  return problems
}

/** Tables: names, columns, keys, indexes. */
export const checkTables = (graph: GraphData): ReadonlyArray<GraphProblem> => [
  ...Object.values(graph.tables).flatMap((table) => [
    ...checkNames(table),
    ...checkColumns(table),
    ...checkKeyColumns(table),
    ...checkIndexes(table),
  ]),
  ...checkSharedServerTables(graph),
]
