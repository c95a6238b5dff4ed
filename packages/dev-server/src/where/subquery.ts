/**
 * Reads one `left IN (SELECT columns FROM table WHERE …)` and refuses every other form, in Electric's words (protocol
 * reference §5.2). The result carries all the engine needs to keep the set of inner values. Pure.
 */
import type { Column, Table } from "../db/catalog.ts"
import { quoteIdent } from "../db/identifier.ts"
import { type Fields, list, type Node, open, stringOf } from "./ast.ts"
import { booleanSql, columnSql, type Scope } from "./expression.ts"
import { whereError, whereErrorAt, whereErrorAtRaw, DefinitionError } from "./WhereError.ts"

/** An `IN (SELECT …)` without its negation. */
export interface Subquery {
  /** Columns on the left side, in order. */
  readonly left: ReadonlyArray<Column>
  /** The condition as SQL. */
  readonly sql: string
  /** `SELECT DISTINCT` of the inner values, each as canonical text. */
  readonly valuesSql: string
  /** Ids of the tables whose changes can change the inner values, nested ones included. */
  readonly dependencies: ReadonlyArray<string>
}

const refusedClauses = [
  "distinctClause",
  "intoClause",
  "groupClause",
  "havingClause",
  "windowClause",
  "sortClause",
  "limitOffset",
  "lockingClause",
  "withClause",
]

/**
 * Text that is equal exactly when Postgres calls the values equal, and equal to the plain text of a value wherever
 * the type allows it (tags on the wire hash this text).
 */
export const canonicalSql = (column: Column, reference: string): string => {
  if (column.typeName === "numeric") return `pg_catalog.trim_scale(${reference})::text`
  if (column.typeName === "float4" || column.typeName === "float8") return `(${reference} + 0)::text`
  if (column.typeName === "interval") return `pg_catalog.justify_interval(${reference})::text`
  return `${reference}::text`
}

/** Reads the tables a parsed clause names: `schema.name` of each, in tree order. */
export const tableName = (rangeVar: Fields): { readonly schema: string; readonly name: string } => ({
  schema: String(rangeVar["schemaname"] ?? "public"),
  name: String(rangeVar["relname"] ?? ""),
})

const innerTable = (select: Fields, tables: ReadonlyMap<string, Table>): Table => {
  const from = list(select["fromClause"])
  const [kind, rangeVar] = open(from[0])
  if (from.length !== 1 || kind !== "RangeVar") throw whereError("Expected a single table reference")
  const { schema, name } = tableName(rangeVar)
  const table = tables.get(`${schema}.${name}`)
  if (table === undefined) throw missingTable(schema, name)
  return table
}

/** Electric's answer for a table that is not there. */
export const missingTable = (schema: string, name: string): DefinitionError =>
  new DefinitionError(
    "table",
    `Table "${schema.replaceAll('"', '\\"')}"."${name.replaceAll('"', '\\"')}" does not exist. If the table name contains capitals or special characters you must quote it.`,
  )

const innerColumns = (select: Fields, table: () => Table): ReadonlyArray<Column> => {
  const results = list(select["targetList"]).map((target) => open(target)[1])
  const targets = results.map((result) => open(result["val"]))
  for (const [index, [kind, fields]] of targets.entries()) {
    const names = list(fields["fields"])
    if (kind !== "ColumnRef" || names.length !== 1 || stringOf(names[0]) === "") {
      throw whereErrorAtRaw(results[index]?.["location"], "Expected a plain column reference")
    }
  }
  const names = targets.map(([, fields]) => stringOf(list(fields["fields"])[0]))
  const known = names.map((name) => table().columns.find((column) => column.name === name))
  const missing = names.filter((_, index) => known[index] === undefined)
  if (missing.length > 0) {
    throw new DefinitionError(
      "columns",
      `The following columns are not found on the table: ${missing.join(", ")}`,
    )
  }
  return known.filter((column) => column !== undefined)
}

const leftColumns = (test: unknown, scope: Scope, location: unknown): ReadonlyArray<Column> => {
  const [kind, fields] = open(test)
  const nodes: ReadonlyArray<Node> = kind === "RowExpr" ? list(fields["args"]) : [test as Node]
  return nodes.map((node) => {
    const [nodeKind, reference] = open(node)
    if (nodeKind === "ParamRef") scope.parameter(Number(reference["number"] ?? 0), reference["location"])
    if (nodeKind !== "ColumnRef") {
      throw whereErrorAt(
        location,
        "currently, left side of `IN (SELECT ...)` can only be a column reference or a list of column references",
      )
    }
    columnSql(reference, scope)
    const name = stringOf(list(reference["fields"])[0])
    const column = scope.table.columns.find((candidate) => candidate.name === name)
    if (column === undefined) throw whereErrorAt(location, `unknown reference ${name}`)
    return column
  })
}

const typesText = (columns: ReadonlyArray<Column>): string =>
  columns.length === 1
    ? (columns[0]?.typeName ?? "")
    : `row of (${columns.map((c) => c.typeName).join(", ")})`

/** Reads a SubLink that stands where a boolean may. `tables` holds every table the clause names. */
export const readSubquery = (fields: Fields, scope: Scope, tables: ReadonlyMap<string, Table>): Subquery => {
  const select = open(fields["subselect"])[1]
  const location = fields["location"]
  if (fields["subLinkType"] !== "ANY_SUBLINK") innerColumns(select, () => innerTable(select, tables))
  if (fields["subLinkType"] !== "ANY_SUBLINK" || fields["operName"] !== undefined) {
    throw whereErrorAt(location, "only `value IN (SELECT ...)` sublinks are supported right now")
  }
  if (refusedClauses.some((name) => select[name] !== undefined)) {
    throw whereError("SELECT statement must not contain any clauses")
  }
  const table = innerTable(select, tables)
  const inner = innerColumns(select, () => table)
  const left = leftColumns(fields["testexpr"], scope, location)
  if (
    left.length !== inner.length ||
    left.some((column, index) => column.typeOid !== inner[index]?.typeOid)
  ) {
    throw whereErrorAt(
      location,
      `left side of \`IN (SELECT ...)\` has type ${typesText(left)} but subquery returns ${typesText(inner)}[]`,
    )
  }
  const dependencies = new Set([table.oid])
  const innerScope: Scope = {
    table,
    parameter: scope.parameter,
    subquery: (nestedFields, nestedScope) => {
      const nested = readSubquery(nestedFields, nestedScope, tables)
      for (const dependency of nested.dependencies) dependencies.add(dependency)
      return nested.sql
    },
  }
  const where =
    select["whereClause"] === undefined
      ? ""
      : ` WHERE ${booleanSql(select["whereClause"] as Node, innerScope)}`
  const names = inner.map((column) => quoteIdent(column.name))
  const source = `FROM ${table.sqlName}${where}`
  return {
    left,
    sql: `((${left.map((column) => quoteIdent(column.name)).join(", ")}) IN (SELECT ${names.join(", ")} ${source}))`,
    valuesSql: `SELECT DISTINCT ${inner.map((column) => canonicalSql(column, quoteIdent(column.name))).join(", ")} ${source}`,
    dependencies: [...dependencies],
  }
}
