/**
 * What one instance selects, as a small tree: its own conditions, and for a node owned from further up the selection of its parent
 * that its edge refers to. The reading of a graph that both the model server and the oracle go by; it shares nothing with the
 * compiler but the graph, so that a wrong compile cannot agree with itself. Pure.
 */
import type { GraphData } from "../../graph/Graph.ts"
import type { NodeDef } from "../../graph/Node.ts"
import { pathToOwner, tableOf } from "../../graph/SyncGraph.ts"
import type { TableDef } from "../../graph/Table.ts"
import { type Filter } from "../../graph/Filter.ts"
import type { TextRow } from "../../protocol/Message.ts"
import { evaluate, type Texts } from "./filters.ts"

/** Rows of the server by table, keyed by encoded primary key. */
export type ReadTable = (serverTable: string) => Iterable<TextRow>

export interface Selection {
  readonly table: TableDef
  /** The row's own conditions hold (its edge to the parent's rows apart). */
  readonly matches: (row: TextRow) => boolean
  /** Conditions beside the edge; each has a slot in the tags of a subquery shape. */
  readonly conditions: number
  /** The edge into the parent's rows; null when the bindings or nothing constrain it. */
  readonly inner: Inner | null
}

export interface Inner {
  readonly selection: Selection
  /** Columns of the row, and the parent's columns they must be found in. */
  readonly columns: ReadonlyArray<string>
  readonly selects: ReadonlyArray<string>
}

const conjuncts = (filter: Filter | null): ReadonlyArray<Filter> =>
  filter === null ? [] : filter._tag === "And" ? filter.filters.flatMap(conjuncts) : [filter]

/** The selection of one instance of a node. */
export const selectionOf = (graph: GraphData, node: string, bindings: Texts, params: Texts): Selection => {
  const path = pathToOwner(graph, node)
  const level = (index: number): Selection => {
    const declared = path[index]
    const table = declared === undefined ? undefined : tableOf(graph, declared.table)
    if (declared === undefined || table === undefined) throw new Error(`the graph has no node ${node}`)
    const own = conjuncts(declared.where)
    const parent = path[index + 1]
    const bound = parent === undefined && path[0]?.owner !== null ? boundEdge(declared, bindings) : []
    return {
      table,
      conditions: own.length,
      matches: (row) =>
        bound.every(([column, value]) => row[column] === value) &&
        own.every((filter) => evaluate(table, filter, row, params) === true),
      inner:
        parent === undefined
          ? null
          : {
              selection: level(index + 1),
              columns: Object.keys(declared.on),
              selects: Object.values(declared.on),
            },
    }
  }
  return level(0)
}

const boundEdge = (node: NodeDef, bindings: Texts): ReadonlyArray<readonly [string, string]> =>
  Object.keys(node.on).map((column) => [column, bindings[column] ?? ""])

/** The values of some columns as one text, or null when one of them is NULL (which no edge matches). */
export const tupleOf = (row: TextRow, columns: ReadonlyArray<string>): string | null => {
  const values = columns.map((column) => row[column] ?? null)
  return values.includes(null) ? null : JSON.stringify(values)
}

/** The values the edge of a selection may have now. */
export const innerValues = (inner: Inner, read: ReadTable): ReadonlySet<string> => {
  const values = new Set<string>()
  for (const row of selectRows(inner.selection, read)) {
    const tuple = tupleOf(row, inner.selects)
    if (tuple !== null) values.add(tuple)
  }
  return values
}

/** The rows a selection holds now. */
export const selectRows = (selection: Selection, read: ReadTable): ReadonlyArray<TextRow> => {
  const { inner } = selection
  const values = inner === null ? null : innerValues(inner, read)
  return [...read(selection.table.from)].filter((row) => {
    if (!selection.matches(row)) return false
    if (inner === null || values === null) return true
    const tuple = tupleOf(row, inner.columns)
    return tuple !== null && values.has(tuple)
  })
}

/** A row with the columns of a local table only. */
export const project = (table: TableDef, row: TextRow): TextRow =>
  Object.fromEntries(Object.keys(table.columns).map((column) => [column, row[column] ?? null]))
