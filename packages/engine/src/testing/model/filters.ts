/**
 * Evaluates a graph's filters on rows of Postgres text, three-valued like Postgres: `null` is unknown. Exists so that the model
 * server and the oracle select rows without a database. It reads the filter language only: free SQL is for real servers. Pure.
 */
import type { CompareOp, Filter, Operand } from "../../graph/Filter.ts"
import type { ColumnType, TableDef } from "../../graph/Table.ts"
import { canonicalText, literalText } from "../../graph/values.ts"
import type { TextRow } from "../../protocol/Message.ts"

export type Texts = Readonly<Record<string, string>>

const wholeNumbers: ReadonlySet<string> = new Set(["int2", "int4", "int8"])
const numbers: ReadonlySet<string> = new Set(["numeric", "float4", "float8"])

/** Orders two values of a type: negative, zero, positive. Text goes by code unit, as in the collation "C". */
export const compareValues = (type: ColumnType, left: string, right: string): number => {
  if (wholeNumbers.has(type)) {
    const difference = BigInt(left) - BigInt(right)
    return difference < 0n ? -1 : difference > 0n ? 1 : 0
  }
  if (numbers.has(type)) return Number(left) - Number(right)
  return left < right ? -1 : left > right ? 1 : 0
}

const operandText = (type: ColumnType, value: Operand, params: Texts): string | null => {
  const text = typeof value === "object" ? params[value.name] : literalText(value)
  return text === undefined ? null : canonicalText(type, text)
}

const compares = (op: CompareOp, order: number): boolean => {
  switch (op) {
    case "=":
      return order === 0
    case "<>":
      return order !== 0
    case "<":
      return order < 0
    case "<=":
      return order <= 0
    case ">":
      return order > 0
    case ">=":
      return order >= 0
  }
}

const compareColumn = (
  table: TableDef,
  column: string,
  op: CompareOp,
  value: Operand,
  row: TextRow,
  params: Texts,
): boolean | null => {
  const type = table.columns[column]?.type ?? "text"
  const left = row[column] ?? null
  const right = operandText(type, value, params)
  if (left === null || right === null) return null
  return compares(op, compareValues(type, canonicalText(type, left) ?? left, right))
}

/** Any true makes it true, else any unknown makes it unknown. */
const any = (values: ReadonlyArray<boolean | null>): boolean | null =>
  values.includes(true) ? true : values.includes(null) ? null : false

const negate = (value: boolean | null): boolean | null => (value === null ? null : !value)

/** Whether a row satisfies a filter. @throws for free SQL */
export const evaluate = (table: TableDef, filter: Filter, row: TextRow, params: Texts): boolean | null => {
  switch (filter._tag) {
    case "Compare":
      return compareColumn(table, filter.column, filter.op, filter.value, row, params)
    case "In":
      return any(filter.values.map((value) => compareColumn(table, filter.column, "=", value, row, params)))
    case "IsNull":
      return (row[filter.column] ?? null) === null
    case "And":
      return negate(any(filter.filters.map((inner) => negate(evaluate(table, inner, row, params)))))
    case "Or":
      return any(filter.filters.map((inner) => evaluate(table, inner, row, params)))
    case "Not":
      return negate(evaluate(table, filter.filter, row, params))
    case "Sql":
      throw new Error(
        `the model server does not read SQL; write the filter of table "${table.name}" with eq, isIn, and, or, not`,
      )
  }
}
