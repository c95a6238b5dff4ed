/**
 * The oracle: which rows belong to an instance, by the plainest reading of a graph in JavaScript. Three-valued like
 * Postgres; `null` is unknown. Values are compared as canonical text, so it understands equality only.
 */
import type { Filter, GraphData, Operand } from "../../src/graph/index.ts"

export type NaiveRow = Readonly<Record<string, string | null>>
export type NaiveTables = Readonly<Record<string, ReadonlyArray<NaiveRow>>>
type Texts = Readonly<Record<string, string>>

const textOf = (value: Operand, params: Texts): string =>
  typeof value === "object" ? (params[value.name] ?? "") : String(value)

const holds = (filter: Filter, row: NaiveRow, params: Texts): boolean | null => {
  switch (filter._tag) {
    case "Compare": {
      const value = row[filter.column] ?? null
      if (value === null) return null
      if (filter.op !== "=" && filter.op !== "<>") throw new Error("the oracle compares for equality only")
      return (value === textOf(filter.value, params)) === (filter.op === "=")
    }
    case "In": {
      const value = row[filter.column] ?? null
      return value === null ? null : filter.values.some((item) => textOf(item, params) === value)
    }
    case "IsNull":
      return (row[filter.column] ?? null) === null
    case "And": {
      const all = filter.filters.map((inner) => holds(inner, row, params))
      return all.includes(false) ? false : all.includes(null) ? null : true
    }
    case "Or": {
      const all = filter.filters.map((inner) => holds(inner, row, params))
      return all.includes(true) ? true : all.includes(null) ? null : false
    }
    case "Not": {
      const inner = holds(filter.filter, row, params)
      return inner === null ? null : !inner
    }
    case "Sql":
      throw new Error("the oracle does not read SQL")
  }
}

export interface NaiveInput {
  readonly graph: GraphData
  /** Rows by **server** table. */
  readonly rows: NaiveTables
  readonly bindings: Texts
  readonly params: Texts
}

/** Rows of `node` in the instance with these bindings; `owner` is the owner of the instance asked for. */
export const naiveRows = (
  input: NaiveInput,
  node: string,
  owner?: string | null,
): ReadonlyArray<NaiveRow> => {
  const { bindings, graph, params, rows } = input
  const declared = graph.nodes[node]
  const table = declared === undefined ? undefined : graph.tables[declared.table]
  if (declared === undefined || table === undefined) throw new Error(`no node ${node}`)
  const top = owner === undefined ? declared.owner : owner
  const { parent, where } = declared
  const edges = Object.entries(declared.on)
  const parents = parent === null || parent === top ? [] : naiveRows(input, parent, top)
  return (rows[table.from] ?? []).filter((row) => {
    if (where !== null && holds(where, row, params) !== true) return false
    if (parent === null) return true
    if (parent === top) return edges.every(([column]) => row[column] === bindings[column])
    return parents.some((above) =>
      edges.every(([column, from]) => row[column] !== null && row[column] === above[from]),
    )
  })
}
