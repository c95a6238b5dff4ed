/** What a shape's log is made of: entries, what they do to a reader, and a move-in that is under way. Types only. */
import type { RowKey } from "../../adapters/store/rowKey.ts"
import type { Message, SnapshotVisibility } from "../../protocol/Message.ts"
import type { Member } from "./members.ts"
import type { Transaction } from "./ModelDatabase.ts"

/** What a stretch of log does to a reader: row → version, or null when the row leaves. */
export type Effects = ReadonlyArray<readonly [key: RowKey, seq: number | null]>

export interface Entry {
  readonly tx: number
  readonly op: number
  readonly message: Message
  readonly effects: Effects
  /** An up-to-date may follow it. */
  boundary: boolean
}

export interface Committed {
  readonly transaction: Transaction
  /** Values of the edge after it; null without a subquery. */
  readonly values: ReadonlySet<string> | null
}

/** A move-in whose query is under way, and the transactions that wait for it. */
export interface Move {
  readonly values: ReadonlySet<string>
  readonly txid: number
  /** Rows and visibility of its query, once that has run. */
  found: { readonly rows: ReadonlyArray<Member>; readonly visibility: SnapshotVisibility } | null
  /** Committed before the query ran, and after. */
  readonly before: Array<Committed>
  readonly after: Array<Committed>
  readonly eventAt: number
  readonly rowsAt: number
  told: boolean
}

/** How slow a move-in is, in milliseconds; `late`: its query sees what was committed while it waited. */
export interface MovePace {
  readonly eventMillis: number
  readonly rowsMillis: number
  readonly late: boolean
}
