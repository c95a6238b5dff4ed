/**
 * Rows as columns for one statement: keys, values and tags, each read from the row when it is encoded, so that no array per row is
 * made. Pure. Called by the steps of a commit.
 */
import type { TagState } from "../store/tags.ts"
import { tagCells } from "./session.ts"
import type { Cell, Column } from "./wire/arrays.ts"

/** A column of one cell per row; constant when all rows have the same. */
export const column = <Row>(rows: ReadonlyArray<Row>, cellOf: (row: Row) => Cell): Column => {
  const [head] = rows
  const first = head === undefined ? null : cellOf(head)
  if (rows.every((row) => cellOf(row) === first)) return { constant: first }
  return perRow(rows, cellOf)
}

const perRow = <Row>(rows: ReadonlyArray<Row>, cellOf: (row: Row) => Cell): Column => ({
  at: (index) => {
    const row = rows[index]
    return row === undefined ? null : cellOf(row)
  },
})

/** The key columns of rows. */
export const keyColumns = (
  width: number,
  rows: ReadonlyArray<{ readonly key: ReadonlyArray<string> }>,
): ReadonlyArray<Column> =>
  Array.from({ length: width }, (_, index) => perRow(rows, ({ key }) => key[index] ?? null))

/** The named columns of rows' values. */
export const valueColumns = (
  columns: ReadonlyArray<{ readonly name: string }>,
  rows: ReadonlyArray<{ readonly values: Readonly<Record<string, string | null>> }>,
): ReadonlyArray<Column> => columns.map(({ name }) => perRow(rows, ({ values }) => values[name] ?? null))

/** Tags and conditions of rows, as array literals. */
export const tagColumns = (
  rows: ReadonlyArray<{ readonly tags: TagState | null }>,
): ReadonlyArray<Column> => {
  if (rows.every(({ tags }) => tags === null)) return [{ constant: null }, { constant: null }]
  const cells = rows.map(({ tags }) => tagCells(tags))
  return [perRow(cells, ([tags = null]) => tags), perRow(cells, ([, active = null]) => active)]
}
