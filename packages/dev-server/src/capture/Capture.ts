/**
 * The capture port: how committed changes of tracked tables reach the engine. Two adapters stand behind it: triggers on
 * PGlite (which has no logical decoding; `TriggerCapture.ts`) and pgoutput on a real Postgres (`LogicalCapture.ts`). The
 * engine takes changes only inside its own transactions, so that a change is taken exactly once, together with what was
 * made of it, and the transaction's snapshot shows exactly what was taken up to then.
 */
import type { Sql } from "../db/Database.ts"
import type { Table } from "../db/catalog.ts"

/** One row written, or a table emptied. `oldRow` and `newRow` are row literals as Postgres prints them. */
export interface RowChange {
  readonly operation: "insert" | "update" | "delete"
  /** `oid` of the table the shape names (the root of a partitioned one). */
  readonly relation: string
  /** Place in the whole transaction over all tracked tables; grows by 2, odd numbers are reserved (protocol reference §3.1). */
  readonly position: number
  /** Complete previous row; null on insert. */
  readonly oldRow: string | null
  /** Complete new row; null on delete. */
  readonly newRow: string | null
}

/** The changes one committed transaction made to tracked tables. */
export interface CapturedTransaction {
  /** The 32-bit transaction id, as `txids` reports it. */
  readonly txid: number
  /** Place of its commit in the write-ahead log, rising; `null` where there is none to read and the engine counts. */
  readonly lsn: number | null
  readonly changes: ReadonlyArray<RowChange>
  /** Tables emptied by TRUNCATE anywhere in the transaction, or changed in a way that did not name the whole old row. */
  readonly truncated: ReadonlyArray<string>
}

/** What happened since the last call of {@link Capture.take}. */
export interface Captured {
  /** In commit order. */
  readonly transactions: ReadonlyArray<CapturedTransaction>
  /** Whether table definitions may have changed. */
  readonly schemaChanged: boolean
  /** Tables of which changes may be missing, or all: what was told of them cannot be continued. */
  readonly lost: ReadonlyArray<string> | "all"
}

/** Where committed changes come from. */
export interface Capture {
  /**
   * Makes what the adapter needs in the database. May run again on a database that has it. Answers the place in the log up
   * to which everything has been taken; `null` where transactions have none.
   */
  readonly install: (sql: Sql) => Promise<number | null>
  /**
   * Captures tables from here on, in a transaction of its own that must not run inside another one's. Answers the `oid`s of
   * those that were not captured before: what was committed to them earlier is never delivered.
   */
  readonly track: (tables: ReadonlyArray<Table>) => Promise<ReadonlyArray<string>>
  /** Whether something may have been committed that `listen` has not announced yet. */
  readonly isBehind: () => Promise<boolean>
  /** Takes everything committed before this transaction's snapshot. Gone for good when the transaction commits. */
  readonly take: (sql: Sql) => Promise<Captured>
  /** Clears what taken changes leave behind, outside any transaction. Called once per so many taken changes. */
  readonly tidy: () => Promise<void>
  /** Calls `heard` after every commit that changed a tracked table. Resolves to the function that stops it. */
  readonly listen: (heard: () => void) => Promise<() => Promise<void>>
  /** Takes everything of {@link install} and {@link track} out of the database again. */
  readonly remove: (sql: Sql) => Promise<void>
}
