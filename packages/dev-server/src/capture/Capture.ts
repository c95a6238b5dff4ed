/**
 * The capture port: how committed changes of tracked tables reach the engine. Two adapters are meant to stand behind it:
 * triggers on PGlite (which has no logical decoding; `TriggerCapture.ts`) and pgoutput on a real Postgres. The engine calls
 * it only inside its own transactions, so that a change is taken exactly once and together with what was made of it.
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
  readonly changes: ReadonlyArray<RowChange>
  /** Tables emptied by TRUNCATE anywhere in the transaction. */
  readonly truncated: ReadonlyArray<string>
}

/** What happened since the last call of {@link Capture.take}. */
export interface Captured {
  /** In commit order. */
  readonly transactions: ReadonlyArray<CapturedTransaction>
  /** Whether table definitions may have changed. */
  readonly schemaChanged: boolean
}

/** Where committed changes come from. */
export interface Capture {
  /** Makes what the adapter needs in the database. May run again on a database that has it. */
  readonly install: (sql: Sql) => Promise<void>
  /** Captures a table from here on; changes committed earlier are not delivered. May be called again. */
  readonly track: (sql: Sql, table: Table) => Promise<void>
  /** Takes everything committed before this transaction's snapshot. Gone for good when the transaction commits. */
  readonly take: (sql: Sql) => Promise<Captured>
  /** Clears what taken changes leave behind, outside any transaction. Called once per so many taken changes. */
  readonly tidy: () => Promise<void>
  /** Calls `heard` after every commit that changed a tracked table. Resolves to the function that stops it. */
  readonly listen: (heard: () => void) => Promise<() => Promise<void>>
  /** Takes everything of {@link install} and {@link track} out of the database again. */
  readonly remove: (sql: Sql) => Promise<void>
}
