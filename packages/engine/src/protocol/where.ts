/**
 * Renders a node's condition as SQL text plus parameters, once for the server (shape definitions) and once for the local
 * database. It exists so that both say the same, letter by letter, for the same graph: the text is part of a shape's
 * identity. A value never enters the text; it becomes `$n`, numbered in order of appearance. Called by `compile.ts` only.
 */
import type { Filter, Operand } from "../graph/Filter.ts"
import type { GraphData } from "../graph/Graph.ts"
import type { NodeDef } from "../graph/Node.ts"
import { columnOf, pathToOwner, tableOf } from "../graph/SyncGraph.ts"
import type { ColumnType, TableDef } from "../graph/Table.ts"
import { canonicalText, exampleOf, literalText } from "../graph/values.ts"
import { CompileError } from "./CompileError.ts"

/** How SQL is spelled for one of the two databases. */
export interface Dialect {
  readonly column: (name: string) => string
  readonly table: (table: TableDef) => string
  /** A parameter; `type` is unknown only for a literal inside a `sql` template. */
  readonly placeholder: (index: number, type: ColumnType | null) => string
}

/** One rendering: its inputs, and the parameter values collected so far. */
export interface Rendering {
  readonly graph: GraphData
  readonly dialect: Dialect
  /** Canonical text by graph parameter. */
  readonly params: Readonly<Record<string, string>>
  /** Canonical text by binding. An absent one does not constrain. */
  readonly bindings: Readonly<Record<string, string>>
  readonly values: Array<string>
  /** Names of the graph parameters the condition used. */
  readonly used: Set<string>
}

/** A condition; `composite` ones need parentheses beside others. */
interface Term {
  readonly text: string
  readonly composite: boolean
}

const atom = (text: string): Term => ({ text, composite: false })
const composite = (text: string): Term => ({ text, composite: true })
const grouped = (term: Term): string => (term.composite ? `(${term.text})` : term.text)

const join = (word: "AND" | "OR", terms: ReadonlyArray<Term>): Term => {
  const [first] = terms
  if (first !== undefined && terms.length === 1) return first
  return composite(terms.map(grouped).join(` ${word} `))
}

const bind = (rendering: Rendering, text: string, type: ColumnType | null): string => {
  rendering.values.push(text)
  return rendering.dialect.placeholder(rendering.values.length, type)
}

const operand = (rendering: Rendering, value: Operand, type: ColumnType | null, path: string): string => {
  if (typeof value === "object") {
    const text = Object.hasOwn(rendering.params, value.name) ? rendering.params[value.name] : undefined
    if (text === undefined) {
      throw new CompileError(
        `params.${value.name}`,
        `no value, but ${path} needs it; pass a value for "${value.name}"`,
      )
    }
    rendering.used.add(value.name)
    return bind(rendering, text, type ?? rendering.graph.params[value.name]?.type ?? null)
  }
  if (type === null) {
    const guess = typeof value === "boolean" ? "bool" : typeof value === "number" ? "numeric" : null
    return bind(rendering, literalText(value), guess)
  }
  const text = canonicalText(type, literalText(value))
  if (text === null) {
    throw new CompileError(
      path,
      `${JSON.stringify(value)} is no ${type}; write a value such as ${exampleOf(type)}`,
    )
  }
  return bind(rendering, text, type)
}

const columnType = (table: TableDef, column: string, path: string): ColumnType => {
  const type = columnOf(table, column)?.type
  if (type === undefined) {
    throw new CompileError(path, `unknown column "${column}"; declare it in tables.${table.name}.columns`)
  }
  return type
}

const renderFilter = (rendering: Rendering, table: TableDef, filter: Filter, path: string): Term => {
  const column = rendering.dialect.column
  switch (filter._tag) {
    case "Compare": {
      const type = columnType(table, filter.column, path)
      return atom(`${column(filter.column)} ${filter.op} ${operand(rendering, filter.value, type, path)}`)
    }
    case "In": {
      const type = columnType(table, filter.column, path)
      const list = filter.values.map((value) => operand(rendering, value, type, path))
      return atom(`${column(filter.column)} IN (${list.join(", ")})`)
    }
    case "IsNull":
      columnType(table, filter.column, path)
      return atom(`${column(filter.column)} IS NULL`)
    case "And":
    case "Or":
      return join(
        filter._tag === "And" ? "AND" : "OR",
        filter.filters.map((inner) => renderFilter(rendering, table, inner, path)),
      )
    case "Not":
      return composite(`NOT (${renderFilter(rendering, table, filter.filter, path).text})`)
    case "Sql":
      return composite(renderTemplate(rendering, table, filter, path))
  }
}

const renderTemplate = (
  rendering: Rendering,
  table: TableDef,
  filter: Extract<Filter, { readonly _tag: "Sql" }>,
  path: string,
): string =>
  filter.strings
    .map((text, index) => {
      if (index === 0) return text
      const value = filter.values[index - 1]
      if (value === undefined) return text
      if (typeof value !== "object" || value._tag === "Param") {
        return `${operand(rendering, value, null, path)}${text}`
      }
      columnType(table, value.name, path)
      return `${rendering.dialect.column(value.name)}${text}`
    })
    .join("")

/** The top-level conjuncts of a filter. */
const conjuncts = (filter: Filter): ReadonlyArray<Filter> =>
  filter._tag === "And" ? filter.filters.flatMap(conjuncts) : [filter]

/** A condition the server keeps as one literal of its normal form, so that nothing stands in an OR beside a subquery. */
const isOneLiteral = (filter: Filter): boolean =>
  filter._tag === "Compare" ||
  filter._tag === "IsNull" ||
  (filter._tag === "Not" && isOneLiteral(filter.filter))

/**
 * A node's own conditions. Beside a subquery, whatever the server would take apart into an OR (also IN lists and free SQL) is
 * wrapped in `IS TRUE`: it then stays one literal that is false instead of NULL, and a move-in cannot omit a row for
 * which another arm is NULL (protocol reference §14.2.5). Only plain conditions are ever wrapped (§14.2.8).
 */
const ownTerms = (
  rendering: Rendering,
  node: NodeDef,
  table: TableDef,
  besideSubquery: boolean,
): ReadonlyArray<Term> =>
  (node.where === null ? [] : conjuncts(node.where)).map((filter) => {
    const term = renderFilter(rendering, table, filter, `nodes.${node.id}.where`)
    return besideSubquery && !isOneLiteral(filter) ? composite(`(${term.text}) IS TRUE`) : term
  })

const tableOfNode = (graph: GraphData, node: NodeDef): TableDef => {
  const table = tableOf(graph, node.table)
  if (table === undefined) {
    throw new CompileError(`nodes.${node.id}.table`, `unknown table "${node.table}"; declare it in tables`)
  }
  return table
}

/** The edge of the path-top: its columns equal the binding values that are given. */
const boundEdge = (rendering: Rendering, node: NodeDef, table: TableDef): ReadonlyArray<Term> =>
  Object.keys(node.on)
    .filter((column) => Object.hasOwn(rendering.bindings, column))
    .map((column) => {
      const type = columnType(table, column, `nodes.${node.id}.on.${column}`)
      return atom(
        `${rendering.dialect.column(column)} = ${bind(rendering, rendering.bindings[column] ?? "", type)}`,
      )
    })

const columnList = (rendering: Rendering, names: ReadonlyArray<string>): string =>
  names.map(rendering.dialect.column).join(", ")

const subquery = (rendering: Rendering, node: NodeDef, parent: NodeDef, inner: ReadonlyArray<Term>): Term => {
  const columns = Object.keys(node.on)
  const left = columns.length === 1 ? columnList(rendering, columns) : `(${columnList(rendering, columns)})`
  const from = rendering.dialect.table(tableOfNode(rendering.graph, parent))
  const where = inner.length === 0 ? "" : ` WHERE ${join("AND", inner).text}`
  return atom(`${left} IN (SELECT ${columnList(rendering, Object.values(node.on))} FROM ${from}${where})`)
}

/** What {@link renderNode} found. `tagged`: it holds a subquery. */
export interface RenderedWhere {
  readonly where: string
  readonly tagged: boolean
}

/** The condition of a node's instance: the path up to its owner, then its own filter. Empty text means all rows. */
export const renderNode = (rendering: Rendering, id: string): RenderedWhere => {
  const path = pathToOwner(rendering.graph, id)
  const owned = path[0]?.owner !== null
  // Without any binding value nothing at the path's top constrains, so the path says nothing about a node with an owner.
  const dropPath = owned && Object.keys(rendering.bindings).length === 0
  const level = (index: number): { readonly terms: ReadonlyArray<Term>; readonly tagged: boolean } => {
    const node = path[index]
    if (node === undefined) return { terms: [], tagged: false }
    const table = tableOfNode(rendering.graph, node)
    const parent = path[index + 1]
    if (parent === undefined || dropPath) {
      const edge = owned ? boundEdge(rendering, node, table) : []
      return { terms: [...edge, ...ownTerms(rendering, node, table, false)], tagged: false }
    }
    const edge = subquery(rendering, node, parent, level(index + 1).terms)
    return { terms: [edge, ...ownTerms(rendering, node, table, true)], tagged: true }
  }
  const { terms, tagged } = level(0)
  return { where: terms.length === 0 ? "" : join("AND", terms).text, tagged }
}
