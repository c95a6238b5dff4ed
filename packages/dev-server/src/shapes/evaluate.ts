/**
 * Lets Postgres evaluate expressions over captured rows: row literals are cast back to the table's row type, so every
 * operator, type and NULL rule is Postgres's own. One query answers all expressions of all shapes of a table.
 */
import { type Sql, SqlFailure, type Text } from "../db/Database.ts"
import type { Table } from "../db/catalog.ts"
import { quoteIdent } from "../db/identifier.ts"

/** Rows one query evaluates at most, so that its parameter stays small. */
const maxRowsPerQuery = 5_000

/** Expressions one query evaluates at most; Postgres allows 1,664 columns. */
const maxExpressionsPerQuery = 400

/** What Postgres said: by expression, then by row literal. An expression it refused (division by zero, …) is in `failed`. */
export interface Evaluation {
  readonly value: (expression: string, row: string) => Text
  readonly failed: ReadonlySet<string>
}

/** `expression` as a boolean that is never NULL, `t` or `f`. */
export const truth = (expression: string): string => `((${expression}) IS TRUE)`

/** Evaluates `expressions` for each of `rows`. Runs inside savepoints, so a failing expression spoils only itself. */
export const evaluate = async (
  sql: Sql,
  table: Table,
  rows: Iterable<string>,
  expressions: Iterable<string>,
): Promise<Evaluation> => {
  const values = new Map<string, Map<string, Text>>()
  const failed = new Set<string>()
  const rowList = [...new Set(rows)]
  const expressionList = [...new Set(expressions)]
  for (const group of slices(expressionList, maxExpressionsPerQuery)) {
    if (await tryGroup(sql, table, rowList, group, values)) continue
    for (const expression of group) {
      if (!(await tryGroup(sql, table, rowList, [expression], values))) failed.add(expression)
    }
  }
  return { value: (expression, row) => values.get(expression)?.get(row) ?? null, failed }
}

const tryGroup = async (
  sql: Sql,
  table: Table,
  rows: ReadonlyArray<string>,
  expressions: ReadonlyArray<string>,
  values: Map<string, Map<string, Text>>,
): Promise<boolean> => {
  await sql.exec("savepoint espalier_evaluate")
  try {
    for (const batch of slices(rows, maxRowsPerQuery)) {
      const answers = await sql.rows(evaluationSql(table, expressions), [JSON.stringify(batch)])
      answers.forEach((answer, index) => {
        expressions.forEach((expression, column) => {
          const byRow = values.get(expression) ?? new Map<string, Text>()
          values.set(expression, byRow)
          byRow.set(batch[index] ?? "", answer[column] ?? null)
        })
      })
    }
    await sql.exec("release savepoint espalier_evaluate")
    return true
  } catch (error) {
    if (!(error instanceof SqlFailure)) throw error
    // The expression, not the server, is at fault: its shapes are rotated and their next snapshot names the error.
    await sql.exec("rollback to savepoint espalier_evaluate; release savepoint espalier_evaluate")
    return false
  }
}

/** OFFSET 0 keeps Postgres from casting the literal once per column. */
const evaluationSql = (table: Table, expressions: ReadonlyArray<string>): string => {
  const columns = table.columns.map((column) => `("espalier:row"."r").${quoteIdent(column.name)}`).join(", ")
  const names = table.columns.map((column) => quoteIdent(column.name)).join(", ")
  return `
    select ${expressions.join(", ")}
    from (
      select u.i as "espalier:i", u.j::${table.sqlName} as "r"
      from jsonb_array_elements_text($1::jsonb) with ordinality as u(j, i) offset 0
    ) as "espalier:row"
    cross join lateral (select ${columns} offset 0) as "espalier:columns"(${names})
    order by "espalier:row"."espalier:i"`
}

const slices = function* <A>(items: ReadonlyArray<A>, size: number): Generator<ReadonlyArray<A>> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size)
}
