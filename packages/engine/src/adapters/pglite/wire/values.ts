/**
 * Result values of our own statements, from Postgres text: numbers, booleans and arrays of them; everything else stays text. Only types
 * that our statements return are known. Called by `RawSession.ts`.
 */
import { types } from "@electric-sql/pglite"

const numbers: ReadonlySet<number> = new Set([types.INT2, types.INT4, types.INT8, types.FLOAT8])
const textArray = 1009
const boolArray = 1000

/** A value by its type's OID. */
export const parseValue = (oid: number, text: string | null): unknown => {
  if (text === null) return null
  if (numbers.has(oid)) return Number(text)
  if (oid === types.BOOL) return text === "t"
  if (oid === textArray) return elements(text)
  if (oid === boolArray) return elements(text).map((element) => element === "t")
  return text
}

/** Elements of a one-dimensional array literal; NULL is null. */
const elements = (literal: string): ReadonlyArray<string | null> => {
  const found: Array<string | null> = []
  const pattern = /"((?:[^"\\]|\\.)*)"|([^{},"]+)/gs
  for (const [, quoted, bare] of literal.matchAll(pattern)) {
    if (quoted !== undefined) found.push(quoted.replace(/\\(.)/gs, "$1"))
    else found.push(bare === "NULL" ? null : (bare ?? ""))
  }
  return found
}
