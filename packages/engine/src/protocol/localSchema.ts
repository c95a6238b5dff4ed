/**
 * The local tables of a graph as DDL, and their version hashes. Exists so that every store creates the same tables:
 * columns, primary key and plain indexes, and nothing that could refuse a row the server allows (design §5.9). Pure text.
 */
import type { GraphData } from "../graph/Graph.ts"
import { quoteIdent } from "../graph/identifiers.ts"
import { tableOf } from "../graph/SyncGraph.ts"
import type { TableDef } from "../graph/Table.ts"
import { CompileError } from "./CompileError.ts"
import { hashOf, type Json } from "./hash.ts"

/** Postgres cuts longer identifiers silently; two indexes could then share a name. */
const maxIdentifierBytes = 63

const lookup = (graph: GraphData, name: string): TableDef => {
  const table = tableOf(graph, name)
  if (table === undefined) {
    const known = Object.keys(graph.tables).join(", ")
    throw new CompileError(`tables.${name}`, `no such local table; use one of: ${known}`)
  }
  return table
}

const indexName = (table: string, columns: ReadonlyArray<string>): string => {
  const name = `${table}_${columns.join("_")}_idx`
  const plain = /^[A-Za-z0-9_]+$/.test(name) && name.length <= maxIdentifierBytes
  // Joining with "_" can spell two lists alike (a_b + c, a + b_c): more than one column always carries the hash.
  if (plain && columns.length === 1) return name
  return `espalier_${hashOf([table, [...columns]])}_idx`
}

const columnNames = (columns: ReadonlyArray<string>): string => columns.map(quoteIdent).join(", ")

/** `create table if not exists …` and its indexes for one local table: columns, primary key and plain indexes only. */
export const localTableDdl = (graph: GraphData, table: string): ReadonlyArray<string> => {
  const { columns, indexes, name, primaryKey } = lookup(graph, table)
  const definitions = Object.entries(columns).map(([column, { type }]) => `${quoteIdent(column)} ${type}`)
  return [
    `create table if not exists ${quoteIdent(name)} (${definitions.join(", ")}, primary key (${columnNames(primaryKey)}))`,
    ...indexes.map(
      (index) =>
        `create index if not exists ${quoteIdent(indexName(name, index))} on ${quoteIdent(name)} (${columnNames(index)})`,
    ),
  ]
}

/** Nullability and indexes are left out: the first is not part of a local table, the second are created without a rebuild. */
const versioned = (table: TableDef): Json => ({
  name: table.name,
  columns: Object.fromEntries(Object.entries(table.columns).map(([column, { type }]) => [column, type])),
  primaryKey: [...table.primaryKey],
})

/** Version hash of one local table; changes when a column, its type or the key does. @throws CompileError */
export const tableVersion = (graph: GraphData, table: string): string =>
  hashOf(versioned(lookup(graph, table)))

/** Version hash of the local tables; changes when a table, column or key does. */
export const schemaVersion = (graph: GraphData): string =>
  hashOf(Object.fromEntries(Object.values(graph.tables).map((table) => [table.name, versioned(table)])))
