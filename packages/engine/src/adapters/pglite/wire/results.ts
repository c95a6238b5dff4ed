/**
 * Sorts the answers of one message to the statements that wait for them. Pure. Called by `RawSession.ts`.
 */
import type { PGlite } from "@electric-sql/pglite"
import { parseValue } from "./values.ts"

export interface Statement {
  readonly name: string
  /** Null until the database has described it. */
  fields: ReadonlyArray<{ readonly name: string; readonly dataTypeID: number }> | null
}

export interface Waiting {
  readonly sql: string
  readonly statement: Statement
  readonly rows: Array<Record<string, unknown>>
  readonly done: ((rows: ReadonlyArray<Record<string, unknown>>) => void) | null
}

type Backend = Awaited<ReturnType<PGlite["execProtocol"]>>["messages"][number]

/** Hands each statement its rows. */
export const deliver = (messages: ReadonlyArray<Backend>, waiting: ReadonlyArray<Waiting>): void => {
  let index = 0
  for (const message of messages) {
    const current = waiting[index]
    if (current === undefined) return
    if (message.name === "rowDescription" && "fields" in message) {
      current.statement.fields = message.fields as Statement["fields"]
    } else if (message.name === "dataRow" && "fields" in message) {
      if (current.done !== null)
        current.rows.push(rowOf(current.statement, message.fields as ReadonlyArray<string>))
    } else if (message.name === "commandComplete") {
      if (current.sql === "commit" && "text" in message && message.text === "ROLLBACK")
        throw new Error("the transaction had failed before its commit")
      current.done?.(current.rows)
      index += 1
    }
  }
}

const rowOf = (statement: Statement, values: ReadonlyArray<string | null>): Record<string, unknown> => {
  const row: Record<string, unknown> = {}
  for (const [index, field] of (statement.fields ?? []).entries())
    row[field.name] = parseValue(field.dataTypeID, values[index] ?? null)
  return row
}

/** A list as an array literal. */
export const arrayLiteral = (values: ReadonlyArray<unknown>): string =>
  `{${values
    .map((value) =>
      value === null || value === undefined ? "NULL" : `"${String(value).replace(/["\\]/g, "\\$&")}"`,
    )
    .join(",")}}`
