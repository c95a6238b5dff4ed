/**
 * What one shape is: table, condition, columns, replica and log mode, after analysis. Two requests share a shape exactly
 * when their definitions have the same identity. Built from request text inside one transaction, which is thrown away
 * when the definition is bad.
 */
import { createHash } from "node:crypto"
import { Param } from "@espalier/engine/wire"
import type { Sql } from "../db/Database.ts"
import { type Column, findTable, type Table } from "../db/catalog.ts"
import { parseIdentifier, splitOutsideQuotes } from "../db/identifier.ts"
import { analyse } from "../where/analyse.ts"
import type { NormalForm } from "../where/conditions.ts"
import type { Equality } from "../where/equality.ts"
import { missingTable } from "../where/subquery.ts"
import { DefinitionError } from "../where/WhereError.ts"

/** The defining parameters of a request, as text. */
export interface DefinitionRequest {
  readonly table: string
  readonly where: string | null
  readonly params: ReadonlyMap<number, string>
  readonly columns: string | null
  /** Columns that subsets and `columns` may name; the selected ones where `columns` is absent. Absent in older data. */
  readonly queryable?: string | null
  readonly replica: "default" | "full"
  readonly log: "full" | "changes_only"
}

/** An analysed shape. */
export interface Definition {
  readonly table: Table
  /** SQL of the condition; `null` for the whole table. */
  readonly where: string | null
  /** Present exactly when the condition holds subqueries. */
  readonly normalForm: NormalForm | null
  /** Equalities with constants that every row of the shape fulfils. */
  readonly equalities: ReadonlyArray<Equality>
  /** The rest of the condition; `null` for nothing. Of conditions without subqueries. */
  readonly residual: string | null
  /** Selected columns, in table order. */
  readonly columns: ReadonlyArray<Column>
  /** Columns a subset's condition and order may name. */
  readonly queryable: ReadonlyArray<Column>
  readonly hasAllColumns: boolean
  readonly replica: "default" | "full"
  readonly log: "full" | "changes_only"
  /** Other tables the condition reads. */
  readonly innerTables: ReadonlyArray<Table>
  /** Equal for equal shapes. */
  readonly identity: string
  /** The half of a handle before the dash. */
  readonly hash: string
}

/** Reads `table`: `name` or `schema.name`. @throws DefinitionError */
export const parseTableName = (text: string): { readonly schema: string; readonly name: string } => {
  const parts = splitOutsideQuotes(text, ".")
  if (parts.length > 2) {
    throw new DefinitionError("table", `Invalid relation identifier, too many delimiters: ${text}`)
  }
  const names = parts.map((part) => {
    const parsed = parseIdentifier(part)
    if (parsed.error !== undefined) throw new DefinitionError("table", parsed.error)
    return parsed.name
  })
  return names.length === 2
    ? { schema: names[0] ?? "", name: names[1] ?? "" }
    : { schema: "public", name: names[0] ?? "" }
}

/** Analyses a request. @throws DefinitionError */
export const define = async (sql: Sql, request: DefinitionRequest): Promise<Definition> => {
  const { schema, name } = parseTableName(request.table)
  const table = await findTable(sql, schema, name)
  if (table === null || table.columns.length === 0) throw missingTable(schema, name)
  const list = request.queryable ?? null
  const queryable = list === null ? table.columns : selectColumns(table, list, Param.queryableColumns)
  const columns =
    request.columns === null && list !== null ? queryable : selectColumns(table, request.columns, "columns")
  if (list !== null) refuseOutside(columns, queryable)
  // Changes do not hold computed columns: a condition on one would be judged on NULL.
  const captured = { ...table, columns: table.columns.filter((column) => !column.isVirtual) }
  const analysis = request.where === null ? null : await analyse(sql, captured, request.where, request.params)
  const hasAllColumns = request.columns === null && list === null
  const meaning = [
    table.signature,
    analysis?.sql ?? null,
    hasAllColumns ? null : columns.map((column) => column.name),
    request.replica,
    request.log,
    analysis?.tables.map((inner) => inner.oid) ?? [],
  ]
  return {
    table,
    where: analysis?.sql ?? null,
    normalForm: analysis?.normalForm ?? null,
    equalities: analysis?.equalities ?? [],
    residual: analysis?.residual ?? null,
    columns,
    queryable,
    hasAllColumns,
    replica: request.replica,
    log: request.log,
    innerTables: analysis?.tables ?? [],
    identity: JSON.stringify([table.partitions, ...meaning]),
    // As Electric's, the first half of a handle stays when a partition comes or goes: only the second half is new.
    hash: String(createHash("md5").update(JSON.stringify(meaning)).digest().readUInt32BE(0)),
  }
}

/** `columns` may only name what `queryable_columns` allows. */
const refuseOutside = (columns: ReadonlyArray<Column>, queryable: ReadonlyArray<Column>): void => {
  const outside = columns.filter((column) => !queryable.includes(column)).map((column) => column.name)
  if (outside.length === 0) return
  throw new DefinitionError(
    "columns",
    `The following columns are not in queryable_columns: ${outside.join(", ")}`,
  )
}

const selectColumns = (table: Table, text: string | null, field: string): ReadonlyArray<Column> => {
  if (text === null) return refuseGenerated(table.columns, false)
  const names = splitOutsideQuotes(text, ",").map((part) => {
    const parsed = parseIdentifier(part)
    if (parsed.error !== undefined) throw new DefinitionError(field, parsed.error)
    return parsed.name
  })
  const missingKey = table.keyColumns.filter((name) => !names.includes(name))
  if (missingKey.length > 0) {
    throw new DefinitionError(
      field,
      `The list of columns must include all primary key columns, missing: ${missingKey.join(", ")}`,
    )
  }
  const unknown = names.filter((name) => !table.columns.some((column) => column.name === name))
  const repeated = names.filter((name, index) => names.indexOf(name) !== index)
  if (unknown.length + repeated.length > 0) {
    const wrong = [...unknown, ...repeated].join(", ")
    throw new DefinitionError(field, `The following columns are not found on the table: ${wrong}`)
  }
  return refuseGenerated(
    table.columns.filter((column) => names.includes(column.name)),
    true,
  )
}

/** Captured changes do not hold virtual generated columns, and before Postgres 18 no stored ones (as on Electric). */
const refuseGenerated = (columns: ReadonlyArray<Column>, isNamed: boolean): ReadonlyArray<Column> => {
  const virtual = columns.filter((column) => column.isVirtual).map((column) => column.name)
  if (virtual.length === 0) return columns
  const names = `The following columns are generated and cannot be included in the shape: ${virtual.join(", ")}`
  const hint =
    "You can exclude them from the shape by explicitly listing which columns to fetch in the 'columns' query param"
  throw new DefinitionError("columns", isNamed ? names : `${names}. ${hint}`)
}
