/** SQL over the primary key of a table, for pages in key order. Pure. */
import type { TextRow } from "../db/Database.ts"
import { quoteIdent, quoteText } from "../db/identifier.ts"
import type { Definition } from "./Definition.ts"
import type { Restriction } from "./read.ts"

const keySql = ({ table }: Definition): string => `(${table.keyColumns.map(quoteIdent).join(", ")})`

const valuesSql = ({ table }: Definition, key: TextRow): string => {
  const values = table.keyColumns.map((name, index) => {
    const type = table.columns.find((column) => column.name === name)?.castType ?? "text"
    return `${quoteText(String(key[index]))}::${type}`
  })
  return `(${values.join(", ")})`
}

/** Narrows a read to rows behind a key. */
export const behind = (definition: Definition, key: TextRow): Restriction => ({
  sql: `${keySql(definition)} > ${valuesSql(definition, key)}`,
  params: [],
})

/** SQL that is true of rows up to a key; of none where it is `null`. */
export const upTo = (definition: Definition, key: TextRow | null): string =>
  key === null ? "FALSE" : `${keySql(definition)} <= ${valuesSql(definition, key)}`
