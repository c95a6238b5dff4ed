/**
 * Runs a person's own statement so that it can change nothing: one statement, in a transaction that Postgres itself made
 * read-only, under a role that may only read, rolled back at the end. Exists for the panel's console. What is refused
 * is decided by Postgres, never by looking at the text.
 *
 * - The savepoint stands before the statement because inside one a transaction cannot be made writable again.
 * - The extended protocol takes one statement, so none can end the transaction and go on behind it.
 * - Rows come through a cursor, so that a large table does not cross to the page whole; what no cursor can be declared
 *   for (`explain`, `show`) runs as it is.
 */
import type { Results, Transaction } from "@electric-sql/pglite"
import type { InspectResult } from "../contract.ts"

/** Rows handed to the page at most. */
export const inspectRowsShown = 500

/** What is needed of PGlite, in a page or in Node. */
export interface Transacting {
  readonly transaction: <T>(run: (tx: Transaction) => Promise<T>) => Promise<T>
}

const cursor = "espalier_inspect"
/** A role of Postgres' own: reads every table, writes none and no file, and may end nobody's session. */
const reader = "pg_read_all_data"
const syntaxError = "42601"
const asArrays = { rowMode: "array" } as const

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : ""

const throughCursor = async (tx: Transaction, sql: string): Promise<Results<Array<unknown>>> => {
  await tx.query(`declare ${cursor} no scroll cursor for ${sql}`)
  return tx.query<Array<unknown>>(`fetch forward ${inspectRowsShown + 1} from ${cursor}`, [], asArrays)
}

const run = async (tx: Transaction, sql: string): Promise<Results<Array<unknown>>> => {
  try {
    return await throughCursor(tx, sql)
  } catch (error) {
    if (codeOf(error) !== syntaxError) throw error
    await tx.exec("rollback to savepoint inspect")
    return tx.query<Array<unknown>>(sql, [], asArrays)
  }
}

/** The first rows of one statement. Rejects with Postgres' error, also for anything that would write. */
export const inspectDatabase = (pg: Transacting, sql: string): Promise<InspectResult> =>
  pg.transaction(async (tx) => {
    await tx.exec(`set transaction read only; set local role ${reader}; savepoint inspect`)
    try {
      const { fields, rows } = await run(tx, sql)
      return {
        columns: fields.map(({ name }) => name),
        rows: rows.slice(0, inspectRowsShown),
        truncated: rows.length > inspectRowsShown,
      }
    } finally {
      await tx.rollback()
    }
  })
