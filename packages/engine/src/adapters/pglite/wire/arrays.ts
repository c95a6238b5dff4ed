/**
 * Columns of rows as array parameters: binary where every value has an exact encoding, else the same values as `text[]`, cast by
 * Postgres; one text for all rows where the column is constant. Also chooses the statement's spelling that fits. Pure but for
 * the writer it is given.
 */
import type { Field } from "../sql.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { binaryTypes } from "./encoders.ts"

/** One value of a row on its way into an array. */
export type Cell = string | null

/** One column of an input: the same cell for all rows, or a cell per row. */
export type Column = { readonly constant: Cell } | { readonly at: (row: number) => Cell }

/** How a column travels. */
export type Mode = "binary" | "text" | "constant"

/** A column that lies in the writer. */
export interface EncodedColumn {
  readonly mode: Mode
  readonly start: number
  readonly end: number
}

const textOid = 25

/** Writes `count` cells from row `first` of a column. @throws ShareRejected for text that Postgres cannot hold */
export const encodeColumn = (
  writer: ByteWriter,
  field: Field,
  column: Column,
  first: number,
  count: number,
): EncodedColumn => {
  const start = writer.length
  if ("constant" in column) {
    if (column.constant === null) writer.int32(-1)
    else writer.text(column.constant, field.as)
    return { mode: "constant", start, end: writer.length }
  }
  const type = binaryTypes[field.type]
  if (type !== undefined && writeArray(writer, type.oid, column.at, first, count, type.encode, field))
    return { mode: "binary", start, end: writer.length }
  writer.length = start
  writeArray(writer, textOid, column.at, first, count, asText, field)
  return { mode: "text", start, end: writer.length }
}

const asText = (writer: ByteWriter, text: string, column: string): boolean => {
  writer.text(text, column)
  return true
}

const writeArray = (
  writer: ByteWriter,
  oid: number,
  at: (row: number) => Cell,
  first: number,
  count: number,
  encode: (writer: ByteWriter, text: string, column: string) => boolean,
  field: Field,
): boolean => {
  const start = writer.length
  writer.int32(0)
  writer.int32(1)
  writer.int32(1)
  writer.int32(oid)
  writer.int32(count)
  writer.int32(1)
  const name = field.name ?? field.as
  for (let row = first; row < first + count; row += 1) {
    const cell = at(row)
    if (cell === null) writer.int32(-1)
    else if (!encode(writer, cell, name)) return false
  }
  writer.setInt32(start, writer.length - start - 4)
  return true
}

/** A statement made by `inputOf` from parameter 1 on, respelled for how its columns travel. */
export const spelled = (sql: string, fields: ReadonlyArray<Field>, modes: ReadonlyArray<Mode>): string => {
  let result = sql
  for (const [index, mode] of modes.entries()) {
    const type = fields[index]?.type ?? "text"
    const parameter = `$${index + 1}`
    if (mode === "binary") result = result.replace(`${parameter}::text[]`, () => `${parameter}::${type}[]`)
    if (mode === "constant") {
      result = result
        .replace(`${parameter}::text[]`, () => "null::text[]")
        .replace(`u.a${index}::`, () => `${parameter}::text::`)
    }
  }
  return result
}
