/**
 * Finds `column = constant` among the conditions every row of a shape fulfils, so that the engine can look up the shapes
 * a changed row concerns instead of asking each. Postgres says what a constant is as a value of the column, and only types
 * whose equality is equality of their text take part; everything else stays with Postgres.
 */
import { type Sql, SqlFailure } from "../db/Database.ts"
import type { Column } from "../db/catalog.ts"
import { parseRecord } from "../db/recordLiteral.ts"
import { list, type Node, open, stringOf } from "./ast.ts"
import type { Condition } from "./conditions.ts"
import { type Scope, valueSql } from "./expression.ts"

/** `column = sql`, where `sql` names no column. */
export interface ConstantEquality {
  readonly column: Column
  readonly sql: string
}

/** A column and the output text its values must have. */
export interface Equality {
  readonly column: string
  readonly value: string
}

/** The equality a comparison is, if it is one. The node must have passed the vocabulary. */
export const readEquality = (node: Node, scope: Scope): ConstantEquality | null => {
  const [kind, fields] = open(node)
  if (kind !== "A_Expr" || fields["kind"] !== "AEXPR_OP" || stringOf(list(fields["name"])[0]) !== "=")
    return null
  const [left, right] = [fields["lexpr"] as Node, fields["rexpr"] as Node]
  const [column, constant] = open(left)[0] === "ColumnRef" ? [left, right] : [right, left]
  if (open(column)[0] !== "ColumnRef" || !isConstant(constant)) return null
  const name = stringOf(list(open(column)[1]["fields"])[0])
  const known = scope.table.columns.find((candidate) => candidate.name === name)
  return known?.equalsAsText === true ? { column: known, sql: valueSql(constant, scope) } : null
}

const isConstant = (node: Node): boolean => {
  const [kind, fields] = open(node)
  if (kind === "TypeCast") return isConstant(fields["arg"] as Node)
  return kind === "A_Const" || kind === "ParamRef"
}

/** The conditions a row must fulfil one by one: equalities with known texts, and the rest. */
export const splitEqualities = async (
  sql: Sql,
  condition: Condition,
): Promise<{ readonly equalities: ReadonlyArray<Equality>; readonly rest: ReadonlyArray<Condition> }> => {
  const equalities: Array<Equality> = []
  const rest: Array<Condition> = []
  for (const part of conjuncts(condition)) {
    const found = part.kind === "plain" && part.equality ? part.equality : null
    const value = found === null ? null : await textOf(sql, found)
    if (found === null || value === null) rest.push(part)
    else equalities.push({ column: found.column.name, value })
  }
  return { equalities, rest }
}

const conjuncts = (condition: Condition): ReadonlyArray<Condition> =>
  condition.kind === "and" ? condition.parts.flatMap(conjuncts) : [condition]

/**
 * The constant as the column prints it; `null` where it is NULL or no value of the column's type is equal to it (1.5 for an
 * integer), or Postgres cannot cast it.
 */
const textOf = async (sql: Sql, { column, sql: constant }: ConstantEquality): Promise<string | null> => {
  await sql.exec("savepoint espalier_equality")
  try {
    const cast = `(${constant})::${column.castType}`
    const [row] = await sql.rows(`select row(${cast})::text where ${cast} = ${constant}`)
    await sql.exec("release savepoint espalier_equality")
    return row === undefined ? null : (parseRecord(String(row[0]))[0] ?? null)
  } catch (error) {
    if (!(error instanceof SqlFailure)) throw error
    // The comparison is fine (it was prepared), only this shortcut is not: Postgres goes on evaluating it.
    await sql.exec("rollback to savepoint espalier_equality; release savepoint espalier_equality")
    return null
  }
}
