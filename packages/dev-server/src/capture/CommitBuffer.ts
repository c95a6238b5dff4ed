/**
 * Puts the messages of a replication stream together to committed transactions and keeps them, in commit order, until a
 * snapshot shows them and they were taken. Also turns them into changes of the tables shapes name. No I/O.
 */
import { formatRecord } from "../db/recordLiteral.ts"
import type { Text } from "../db/Database.ts"
import type { CapturedTransaction, RowChange } from "./Capture.ts"
import type { Field, Lsn, Message, Relation } from "./pgoutput.ts"
import type { PublishedTable } from "./publication.ts"

/** What a transaction's snapshot sees: full transaction ids. */
export interface Visibility {
  readonly xmin: number
  readonly xmax: number
  readonly running: ReadonlySet<number>
}

interface LoggedChange {
  readonly operation: RowChange["operation"]
  readonly relation: Relation
  readonly before: ReadonlyArray<Field> | null
  readonly after: ReadonlyArray<Field> | null
}

/** A committed transaction as the log tells it. */
export interface LoggedTransaction {
  readonly xid: number
  readonly lsn: Lsn
  readonly changes: ReadonlyArray<LoggedChange>
  /** Tables emptied, by the oid the log names. */
  readonly truncated: ReadonlyArray<string>
}

/** Transactions between the stream and the engine. */
export class CommitBuffer {
  #pending: ReadonlyArray<LoggedTransaction> = []
  readonly #relations = new Map<string, Relation>()
  #open: { xid: number; changes: Array<LoggedChange>; truncated: Array<string> } | null = null
  #last: Lsn = 0

  /** Whether everything handed over has been taken. */
  get isEmpty(): boolean {
    return this.#pending.length === 0 && this.#open === null
  }

  /** Whether a whole transaction waits to be taken. */
  get hasPending(): boolean {
    return this.#pending.length > 0
  }

  /** Transactions up to `lsn` are known already; a stream that starts again repeats some. */
  skipTo(lsn: Lsn): void {
    this.#last = Math.max(this.#last, lsn)
    this.#pending = this.#pending.filter((transaction) => transaction.lsn > lsn)
  }

  /** Forgets everything: the stream does not continue what it was. */
  clear(): void {
    this.#pending = []
    this.#open = null
    this.#last = 0
  }

  /** Takes a message in. Answers true when it completed a transaction with something in it. */
  add(message: Message): boolean {
    switch (message.kind) {
      case "begin":
        this.#open = { xid: message.xid, changes: [], truncated: [] }
        return false
      case "relation":
        this.#relations.set(message.relation.oid, message.relation)
        return false
      case "insert":
        return this.#change("insert", message.oid, null, message.after)
      case "update":
        return this.#change("update", message.oid, message.before, message.after)
      case "delete":
        return this.#change("delete", message.oid, message.before, null)
      case "truncate":
        this.#open?.truncated.push(...message.oids)
        return false
      case "commit":
        return this.#commit(message.lsn)
      case "other":
        return false
    }
  }

  #change(
    operation: RowChange["operation"],
    oid: string,
    before: ReadonlyArray<Field> | null,
    after: ReadonlyArray<Field> | null,
  ): false {
    const relation = this.#relations.get(oid)
    if (relation === undefined) throw new Error(`the replication stream did not describe table ${oid}`)
    this.#open?.changes.push({ operation, relation, before, after })
    return false
  }

  #commit(lsn: Lsn): boolean {
    const open = this.#open
    this.#open = null
    if (open === null || lsn <= this.#last) return false
    this.#last = lsn
    if (open.changes.length === 0 && open.truncated.length === 0) return false
    this.#pending = [...this.#pending, { ...open, lsn }]
    return true
  }

  /**
   * The transactions a snapshot shows; they stay until {@link remove}. `null` when it shows a later one but not an earlier
   * one, which was still between its log record and its end: commit order could not be kept.
   */
  visible(snapshot: Visibility): ReadonlyArray<LoggedTransaction> | null {
    const shown = this.#pending.map((transaction) => isVisible(snapshot, transaction.xid))
    const count = shown.indexOf(false)
    if (count < 0) return this.#pending
    return shown.includes(true, count) ? null : this.#pending.slice(0, count)
  }

  /** These were taken. */
  remove(transactions: ReadonlyArray<LoggedTransaction>): void {
    const taken = new Set(transactions)
    this.#pending = this.#pending.filter((transaction) => !taken.has(transaction))
  }
}

const wrap = 2 ** 32

/** The log names the low half of a transaction id; the whole one lies within two thousand million of the snapshot. */
const isVisible = ({ xmin, xmax, running }: Visibility, low: number): boolean => {
  const near = Math.floor(xmax / wrap) * wrap + low
  const xid = near - xmax > wrap / 2 ? near - wrap : xmax - near > wrap / 2 ? near + wrap : near
  return xid < xmin || (xid < xmax && !running.has(xid))
}

/** Published tables by every oid the log names them under: a partition's is its own and its root's. */
export type TablesBySource = ReadonlyMap<string, ReadonlyArray<PublishedTable>>

/** A logged transaction as changes of published tables. */
export const toCaptured = (
  { xid, lsn, changes, truncated }: LoggedTransaction,
  tables: TablesBySource,
): CapturedTransaction => {
  const emptied = new Set(truncated.flatMap((oid) => tables.get(oid) ?? []).map((table) => table.oid))
  const told: Array<RowChange> = []
  for (const [index, { operation, relation, before, after }] of changes.entries()) {
    for (const table of tables.get(relation.oid) ?? []) {
      if (operation !== "insert" && before === null) {
        emptied.add(table.oid)
        continue
      }
      told.push({
        operation,
        relation: table.oid,
        position: index * 2,
        oldRow: before === null ? null : literal(table, relation, before, before),
        newRow: after === null ? null : literal(table, relation, after, before),
      })
    }
  }
  return { txid: xid, lsn, changes: told, truncated: [...emptied] }
}

/** Partitions may order their columns differently from their root; names are the same. */
const literal = (
  table: PublishedTable,
  relation: Relation,
  fields: ReadonlyArray<Field>,
  old: ReadonlyArray<Field> | null,
): string => {
  const values = new Map<string, Text>(
    relation.columns.map((name, index) => [
      name,
      fields[index] ?? (fields[index] === null ? null : (old?.[index] ?? null)),
    ]),
  )
  return formatRecord(table.columns.map((name) => values.get(name) ?? null))
}
