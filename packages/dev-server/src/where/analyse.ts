/**
 * From the text of a `where` to what the engine works with: canonical SQL with the parameters inlined as typed literals,
 * and, where subqueries occur, its normal form. libpg_query parses, Postgres types and evaluates; errors carry Electric's
 * words and places in the main cases, Postgres's own words in the rest.
 */
import { hasSqlDetails, loadModule, parseSync } from "libpg-query"
import type { Sql } from "../db/Database.ts"
import { SqlFailure } from "../db/Database.ts"
import { findTable, type Table } from "../db/catalog.ts"
import { quoteText } from "../db/identifier.ts"
import { findAll, list, type Node, open } from "./ast.ts"
import { type Condition, type NormalForm, normalForm } from "./conditions.ts"
import { type Equality, readEquality, splitEqualities } from "./equality.ts"
import { booleanSql, type Scope } from "./expression.ts"
import { missingTable, readSubquery, tableName } from "./subquery.ts"
import { clausePrefix, DefinitionError, whereError, whereErrorAt } from "./WhereError.ts"

/** An analysed clause. */
export interface Analysis {
  /** The whole condition over the table's columns; equal for clauses that mean the same shape. */
  readonly sql: string
  /** Present exactly when the clause holds subqueries. */
  readonly normalForm: NormalForm | null
  /** Tables the subqueries read. */
  readonly tables: ReadonlyArray<Table>
  /** The equalities with constants that every row of the shape fulfils. */
  readonly equalities: ReadonlyArray<Equality>
  /** What the condition asks beside {@link equalities}; `null` for nothing. Only of conditions without subqueries. */
  readonly residual: string | null
}

/** Electric's limit, in bytes (protocol reference §14.1). */
export const maxClauseBytes = 65_536

const statement = "espalier_analysis"

/**
 * Analyses a clause against its table, inside a transaction that the caller throws away when this rejects.
 * @throws DefinitionError
 */
export const analyse = async (
  sql: Sql,
  table: Table,
  where: string,
  params: ReadonlyMap<number, string>,
  allowSubqueries = true,
): Promise<Analysis> => {
  const root = await parseClause(where)
  if (!allowSubqueries && findAll(root, "SubLink").length > 0) {
    throw whereError("Subqueries are not allowed in subsets")
  }
  const tables = await findTables(sql, root)
  const location = new Map<number, unknown>()
  const walk = (parameter: (number: number) => string): Condition =>
    readCondition(
      root,
      {
        table,
        parameter: (number, at) => {
          if (!params.has(number)) throw whereErrorAt(at, `parameter $${number} was not provided`)
          if (!location.has(number)) location.set(number, at)
          return parameter(number)
        },
        subquery: (fields, scope) => readSubquery(fields, scope, tables).sql,
      },
      tables,
    )
  walk((number) => `$${number}`)
  const types = await parameterTypes(sql, table, where)
  const condition = walk(
    (number) => `(${quoteText(params.get(number) ?? "")}::${types[number - 1] ?? "text"})`,
  )
  const text = conditionSql(condition)
  if (location.size > 0) {
    await prepare(sql, table, text, () => [...location.values()][0])
  }
  const { equalities, rest } = await splitEqualities(sql, condition)
  return {
    sql: text,
    normalForm: hasSubquery(condition) ? normalForm(condition) : null,
    tables: [...tables.values()],
    equalities,
    residual: rest.length === 0 ? null : rest.map(conditionSql).join(" AND "),
  }
}

const parseClause = async (where: string): Promise<Node> => {
  if (Buffer.byteLength(where) > maxClauseBytes) {
    throw whereError(`At location 0: Query bigger than maximum size of ${maxClauseBytes} bytes`)
  }
  await loadModule()
  let statements: ReadonlyArray<Node>
  try {
    statements = list(parseSync(clausePrefix + where).stmts)
  } catch (error) {
    if (!hasSqlDetails(error) || error.sqlDetails === undefined) throw error
    throw new DefinitionError(
      "where",
      `At location ${error.sqlDetails.cursorPosition}: ${error.sqlDetails.message}`,
    )
  }
  if (statements.length !== 1) throw whereError('unescaped ";" causing statement split')
  const select = open((statements[0] ?? {})["stmt"])[1]
  const expected = new Set(["targetList", "whereClause", "limitOption", "op"])
  if (Object.keys(select).some((key) => !expected.has(key)) || select["op"] !== "SETOP_NONE") {
    throw whereError("malformed query ending with SQL clauses")
  }
  const clause = select["whereClause"] as Node
  const [kind, fields] = open(clause)
  if (kind === "A_Const" && !("boolval" in fields)) throw whereError("WHERE clause must return a boolean")
  return clause
}

const findTables = async (sql: Sql, root: Node): Promise<ReadonlyMap<string, Table>> => {
  const tables = new Map<string, Table>()
  for (const rangeVar of findAll(root, "RangeVar")) {
    const { schema, name } = tableName(rangeVar)
    const key = `${schema}.${name}`
    if (tables.has(key)) continue
    const table = await findTable(sql, schema, name)
    if (table === null) throw missingTable(schema, name)
    tables.set(key, table)
  }
  return tables
}

const readCondition = (node: Node, scope: Scope, tables: ReadonlyMap<string, Table>): Condition => {
  const [kind, fields] = open(node)
  if (kind === "SubLink") return { kind: "subquery", subquery: readSubquery(fields, scope, tables) }
  if (kind !== "BoolExpr") {
    return { kind: "plain", sql: booleanSql(node, scope), equality: readEquality(node, scope) }
  }
  const parts = list(fields["args"]).map((part) => readCondition(part, scope, tables))
  const [first] = parts
  if (fields["boolop"] === "NOT_EXPR" && first !== undefined) return { kind: "not", part: first }
  return { kind: fields["boolop"] === "AND_EXPR" ? "and" : "or", parts }
}

const conditionSql = (condition: Condition): string => {
  switch (condition.kind) {
    case "plain":
      return condition.sql
    case "subquery":
      return condition.subquery.sql
    case "not":
      return `(NOT ${conditionSql(condition.part)})`
    case "and":
    case "or":
      return `(${condition.parts.map(conditionSql).join(condition.kind === "and" ? " AND " : " OR ")})`
  }
}

const hasSubquery = (condition: Condition): boolean => {
  if (condition.kind === "and" || condition.kind === "or") return condition.parts.some(hasSubquery)
  return condition.kind === "not" ? hasSubquery(condition.part) : condition.kind === "subquery"
}

const parameterTypes = async (sql: Sql, table: Table, where: string): Promise<ReadonlyArray<string>> => {
  const prefix = selectPrefix(table)
  await prepare(sql, table, where, (position) => position - 1 - prefix.length + clausePrefix.length, true)
  const rows = await sql.rows(
    `select t from pg_prepared_statements, unnest(parameter_types::text[]) with ordinality as u(t, i) where name = $1 order by i`,
    [statement],
  )
  await sql.exec(`deallocate ${statement}`)
  return rows.map(([type]) => String(type))
}

const selectPrefix = (table: Table): string => `prepare ${statement} as select 1 from ${table.sqlName} where `

const prepare = async (
  sql: Sql,
  table: Table,
  clause: string,
  place: (position: number) => unknown,
  keep = false,
): Promise<void> => {
  try {
    await sql.exec(selectPrefix(table) + clause)
    if (!keep) await sql.exec(`deallocate ${statement}`)
  } catch (error) {
    if (error instanceof SqlFailure) throw translate(error, place(error.position ?? 1))
    throw error
  }
}

const typeWords: Readonly<Record<string, string>> = {
  integer: "int4",
  bigint: "int8",
  smallint: "int2",
  boolean: "bool",
  real: "float4",
  "double precision": "float8",
}

/** Postgres's complaint in Electric's words, where Electric has words of its own for it. */
const translate = (error: SqlFailure, location: unknown): DefinitionError => {
  if (error.message.startsWith("argument of WHERE must be type boolean")) {
    return whereError("WHERE clause must return a boolean")
  }
  const value = /^invalid input (?:syntax|value) for (?:type|enum) (.+?): "(.*)"$/su.exec(error.message)
  if (value !== null) {
    const type = String(value[1])
    const words = `invalid syntax for type ${typeWords[type] ?? type}: ${value[2]}`
    return new DefinitionError("where", whereErrorAt(location, words).message, error)
  }
  if (error.sqlstate === "42883" && error.message.startsWith("operator")) {
    return whereErrorAt(location, "Could not select an operator overload")
  }
  return whereErrorAt(location, error.message)
}
