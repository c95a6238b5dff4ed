/**
 * Builds the local SQL of `useRows` from a node, bindings, equality filters, order and limit. Column names
 * are checked against the graph and quoted, values become `$n`; nothing an app passes is spliced into the
 * text. Pure; throws `RowsOptionInvalid` for what the types would have refused.
 */
import { localQuery, quoteIdent } from "@espalier/engine/compile"
import type { GraphData, TableDef } from "@espalier/engine/graph"
import { namesTable, tablesIn } from "./tables.ts"

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

/** The pieces of a query over one table, for reading only what changed. Texts use `$1…$n` of `params`. */
export interface RowsParts {
  /** Local table, by its plain name. */
  readonly table: string
  readonly from: string
  /** ` where …`, or empty. */
  readonly where: string
  readonly order: string
  readonly orderColumns: ReadonlyArray<string>
  readonly limit: number | null
  readonly columns: ReadonlyArray<string>
  readonly key: ReadonlyArray<string>
  readonly params: ReadonlyArray<unknown>
}

export interface RowsAsk {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
  readonly tables: ReadonlyArray<string>
  /** Columns that identify a row. */
  readonly key: ReadonlyArray<string>
  /** Null where a row's membership depends on more than the row itself and other tables. */
  readonly parts: RowsParts | null
  /** What else tells two questions of one text apart. */
  readonly shape?: string
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

const orderColumns = (orderBy: OrderInput | undefined): ReadonlyArray<string> =>
  orderBy === undefined
    ? []
    : typeof orderBy === "string"
      ? [orderBy]
      : orderBy.map((term) => (typeof term === "string" ? term : term[0]))

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
  const named = new Set(orderColumns(orderBy))
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
  const columns = Object.keys(table.columns)
  const where = conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`
  const order = orderClause(table, input.orderBy)
  const sql = `select ${columns.map(quoteIdent).join(", ")} from ${local.from}${where} order by ${order}${limitClause(input.limit)}`
  // Only the node's own SQL names tables; with a filter that reads no other table this is the node's table
  // alone.
  const tables = new Set([table.name, ...tablesIn(graph, `${local.from} ${local.where}`)])
  const parts: RowsParts = {
    ...{ table: table.name, from: local.from, where, order, columns, params: values },
    ...{ orderColumns: orderColumns(input.orderBy), limit: input.limit ?? null, key: table.primaryKey },
  }
  const ownOnly = !namesTable(local.where, table.name)
  return { sql, params: values, tables: [...tables], key: table.primaryKey, parts: ownOnly ? parts : null }
}
