/**
 * Builds the local SQL of `useRows` from a node, bindings, equality filters, order and limit. Column names
 * are checked against the graph and quoted, values become `$n`; nothing an app passes is spliced into the
 * text. Pure; throws `RowsOptionInvalid` for what the types would have refused.
 */
import { localQuery, quoteIdent } from "@espalier/engine/compile"
import type { GraphData, TableDef } from "@espalier/engine/graph"
import { tablesIn } from "./tables.ts"

/** An option of `useRows` names something the graph does not have, or has a value it cannot take. */
export class RowsOptionInvalid extends Error {
  readonly _tag = "RowsOptionInvalid"
  readonly option: string
  constructor(option: string, message: string) {
    super(message)
    this.name = "RowsOptionInvalid"
    this.option = option
  }
}

export type Direction = "asc" | "desc"
export type OrderInput = string | ReadonlyArray<string | readonly [string, Direction]>

export interface RowsAsk {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
  readonly tables: ReadonlyArray<string>
  /** Columns that identify a row. */
  readonly key: ReadonlyArray<string>
}

export interface RowsQueryInput {
  readonly node: string
  readonly bindings: Readonly<Record<string, string>>
  readonly where: Readonly<Record<string, unknown>>
  readonly orderBy: OrderInput | undefined
  readonly limit: number | undefined
}

const column = (table: TableDef, name: string, option: string): string => {
  if (Object.hasOwn(table.columns, name)) return quoteIdent(name)
  const known = Object.keys(table.columns).join(", ")
  throw new RowsOptionInvalid(
    option,
    `useRows: ${option} names "${name}", but "${table.name}" has only ${known}.`,
  )
}

const orderClause = (table: TableDef, orderBy: OrderInput | undefined): string => {
  const given = orderBy === undefined ? [] : typeof orderBy === "string" ? [orderBy] : orderBy
  const terms = given.map((term) => {
    const [name, direction] = typeof term === "string" ? [term, "asc"] : term
    if (direction === "asc" || direction === "desc") return `${column(table, name, "orderBy")} ${direction}`
    throw new RowsOptionInvalid(
      "orderBy",
      `useRows: direction "${String(direction)}" is neither "asc" nor "desc".`,
    )
  })
  const named = new Set(given.map((term) => (typeof term === "string" ? term : term[0])))
  // The primary key comes last, so that equal rows keep their places and an update does not shuffle a list.
  const rest = table.primaryKey.filter((name) => !named.has(name)).map(quoteIdent)
  return [...terms, ...rest].join(", ")
}

const limitClause = (limit: number | undefined): string => {
  if (limit === undefined) return ""
  if (Number.isSafeInteger(limit) && limit >= 0) return ` limit ${limit}`
  throw new RowsOptionInvalid("limit", `useRows: limit ${String(limit)} is not a whole number of at least 0.`)
}

/** The query for a node's rows. `params` are the graph's parameters as text. */
export const rowsQuery = (
  graph: GraphData,
  input: RowsQueryInput,
  params: Readonly<Record<string, string>>,
): RowsAsk => {
  const node = graph.nodes[input.node]
  const table = node === undefined ? undefined : graph.tables[node.table]
  if (table === undefined) {
    const known = Object.keys(graph.nodes).join(", ")
    throw new RowsOptionInvalid(
      "node",
      `useRows: graph "${graph.name}" has no node "${input.node}", only ${known}.`,
    )
  }
  const local = localQuery(graph, input.node, input.bindings, params)
  const values: Array<unknown> = [...local.params]
  const filters = Object.entries(input.where).map(([name, value]) => {
    const quoted = column(table, name, "where")
    if (value === null) return `${quoted} is null`
    values.push(value)
    return `${quoted} = $${values.length}`
  })
  const conditions = [local.where === "" ? [] : [`(${local.where})`], filters].flat()
  const columns = Object.keys(table.columns).map(quoteIdent).join(", ")
  const where = conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`
  const order = orderClause(table, input.orderBy)
  const sql = `select ${columns} from ${local.from}${where} order by ${order}${limitClause(input.limit)}`
  // Only the node's own SQL names tables; with a filter that reads no other table this is the node's table
  // alone.
  const tables = new Set([table.name, ...tablesIn(graph, `${local.from} ${local.where}`)])
  return { sql, params: values, tables: [...tables], key: table.primaryKey }
}
