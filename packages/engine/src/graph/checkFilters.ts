/** Checks the filters of a graph: columns, params, types, list lengths, free SQL. Pure; called by `validateGraph` only. */
import type { Filter, Operand } from "./Filter.ts"
import type { GraphData } from "./Graph.ts"
import { type GraphProblem, oneOf, problem } from "./problem.ts"
import { columnOf, tableOf } from "./SyncGraph.ts"
import type { ColumnType, TableDef } from "./Table.ts"
import { baseType, canonicalText, exampleOf, literalText } from "./values.ts"

/** The server's cost of creating a shape grows with the cube of the list (protocol reference §14.2.1). */
export const maxInValues = 100

/** Types the server's filter language has no operators for (protocol reference §5.1). */
export const incomparableTypes: ReadonlySet<string> = new Set([
  "bytea",
  "bytea[]",
  "json",
  "json[]",
  "jsonb",
  "jsonb[]",
])

const comparisons: ReadonlySet<string> = new Set(["=", "<>", "<", "<=", ">", ">="])

interface Place {
  readonly graph: GraphData
  readonly table: TableDef
  readonly path: string
}

const checkColumn = ({ path, table }: Place, name: string): ReadonlyArray<GraphProblem> => {
  if (columnOf(table, name) !== undefined) return []
  const known = oneOf(Object.keys(table.columns), `declare columns in tables.${table.name}`)
  return [problem(path, `table "${table.name}" has no column "${name}"`, known)]
}

const checkParam = (
  { graph, path }: Place,
  name: string,
  type: ColumnType | undefined,
): ReadonlyArray<GraphProblem> => {
  const param = Object.hasOwn(graph.params, name) ? graph.params[name] : undefined
  if (param === undefined) {
    return [
      problem(path, `unknown param "${name}"`, oneOf(Object.keys(graph.params), `declare it in params`)),
    ]
  }
  if (type === undefined || baseType(param.type) === baseType(type)) return []
  const message = `param "${name}" is ${param.type}, the column is ${type}`
  return [problem(path, message, `declare the param as ${type}`)]
}

const checkOperand = (
  place: Place,
  value: Operand,
  type: ColumnType | undefined,
): ReadonlyArray<GraphProblem> => {
  if (typeof value === "object") return checkParam(place, value.name, type)
  if (type === undefined || canonicalText(type, literalText(value)) !== null) return []
  const fix = `write a value such as ${exampleOf(type)}`
  return [problem(place.path, `${JSON.stringify(value)} does not fit type ${type}`, fix)]
}

const checkComparable = (place: Place, column: string): ReadonlyArray<GraphProblem> => {
  const type = columnOf(place.table, column)?.type
  if (type === undefined) return checkColumn(place, column)
  if (!incomparableTypes.has(type)) return []
  const message = `the server cannot compare "${column}" of type ${type}`
  return [problem(place.path, message, "filter on another column")]
}

type SqlFilter = Extract<Filter, { readonly _tag: "Sql" }>

const sqlFaults: ReadonlyArray<readonly [pattern: RegExp, message: string, fix: string]> = [
  [/\$\d/, "the template numbers a parameter itself", "interpolate the value; it becomes $n"],
  [/;/, "the template holds a semicolon", "write one boolean expression"],
  [/--|\/\*/, "the template holds a comment", "remove it"],
  [/\bselect\b/i, "the template holds a subquery", "declare a parent and an edge instead"],
]

/** The text outside string literals and quoted identifiers; `null` when a quote is not closed. */
const unquoted = (text: string): string | null => {
  const rest = text.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"/g, " ")
  return /['"]/.test(rest) ? null : rest
}

const balanced = (text: string): boolean => {
  let depth = 0
  for (const character of text) {
    if (character === "(") depth += 1
    if (character === ")") depth -= 1
    if (depth < 0) return false
  }
  return depth === 0
}

const checkSql = (place: Place, { strings, values }: SqlFilter): ReadonlyArray<GraphProblem> => {
  const { path } = place
  if (strings.length !== values.length + 1) {
    return [problem(path, "texts and values of the template do not alternate", "write it as sql`…`")]
  }
  const problems: Array<GraphProblem> = []
  const plain = unquoted(strings.join(" 0 "))
  if (plain === null || !balanced(plain)) {
    problems.push(problem(path, "quotes or parentheses of the template do not match", "close them"))
  } else if (plain.trim() === "") {
    problems.push(problem(path, "the template is empty", "write a boolean expression or remove it"))
  }
  for (const [pattern, message, fix] of sqlFaults) {
    if (pattern.test(plain ?? "")) problems.push(problem(path, message, fix))
  }
  // A value inside quotes would be a text "$1", not a parameter.
  if (strings.slice(0, -1).some((_, index) => unquoted(strings.slice(0, index + 1).join("")) === null)) {
    problems.push(problem(path, "an interpolation stands inside quotes", "take it out of the quotes"))
  }
  for (const value of values) {
    if (typeof value !== "object") continue
    problems.push(
      ...(value._tag === "Column"
        ? checkColumn(place, value.name)
        : checkParam(place, value.name, undefined)),
    )
  }
  return problems
}

const checkFilter = (place: Place, filter: Filter): ReadonlyArray<GraphProblem> => {
  const { path, table } = place
  switch (filter._tag) {
    case "Compare": {
      const known = comparisons.has(filter.op)
        ? []
        : [problem(path, `unknown operator "${filter.op}"`, oneOf([...comparisons], ""))]
      const type = columnOf(table, filter.column)?.type
      return [...known, ...checkComparable(place, filter.column), ...checkOperand(place, filter.value, type)]
    }
    case "In": {
      const type = columnOf(table, filter.column)?.type
      const count = filter.values.length
      const length =
        count > 0 && count <= maxInValues
          ? []
          : [
              count === 0
                ? problem(path, "the list is empty", "name at least one value, or remove the filter")
                : problem(
                    path,
                    `the list has ${count} values`,
                    `use at most ${maxInValues}, or a parent and an edge`,
                  ),
            ]
      const values = filter.values.flatMap((value) => checkOperand(place, value, type))
      return [...checkComparable(place, filter.column), ...length, ...values]
    }
    case "IsNull":
      return checkColumn(place, filter.column)
    case "And":
    case "Or":
      return filter.filters.length === 0
        ? [problem(path, `${filter._tag.toLowerCase()}() without filters`, "name at least one filter")]
        : filter.filters.flatMap((inner, index) => checkFilter({ ...place, path: `${path}.${index}` }, inner))
    case "Not":
      return checkFilter(place, filter.filter)
    case "Sql":
      return checkSql(place, filter)
  }
}

/** The filters of all nodes whose table is known. */
export const checkFilters = (graph: GraphData): ReadonlyArray<GraphProblem> =>
  Object.values(graph.nodes).flatMap((node) => {
    const table = tableOf(graph, node.table)
    if (node.where === null || table === undefined) return []
    return checkFilter({ graph, table, path: `nodes.${node.id}.where` }, node.where)
  })

const paramsInFilter = (filter: Filter): ReadonlyArray<string> => {
  const named = (value: Filter | Operand | { readonly _tag: "Column" }): ReadonlyArray<string> =>
    typeof value === "object" && value._tag === "Param" ? [value.name] : []
  switch (filter._tag) {
    case "Compare":
      return named(filter.value)
    case "In":
    case "Sql":
      return filter.values.flatMap(named)
    case "IsNull":
      return []
    case "And":
    case "Or":
      return filter.filters.flatMap(paramsInFilter)
    case "Not":
      return paramsInFilter(filter.filter)
  }
}

/** Params that any filter of the graph names. */
export const paramsInFilters = (graph: GraphData): ReadonlySet<string> =>
  new Set(
    Object.values(graph.nodes).flatMap((node) => (node.where === null ? [] : paramsInFilter(node.where))),
  )
