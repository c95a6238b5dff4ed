/**
 * The model's Postgres: tables of text rows, transactions with LSNs and transaction ids that commit in another order than they
 * began, and the whole history of every row, so that a test can say which version a local row is. It knows no shapes and no
 * clients. Used by the model server and by invariants.
 */
import type { GraphData } from "../../graph/Graph.ts"
import { encodeKey, type RowKey } from "../../adapters/store/rowKey.ts"
import type { SnapshotVisibility, TextRow } from "../../protocol/Message.ts"

/** One version of a row. `seq` rises with every change of the whole database. */
export interface Version {
  readonly seq: number
  readonly row: TextRow
}

/** A row put (inserted, or laid over the one with its key) or removed. `row` holds the primary key at least. */
export interface Write {
  readonly table: string
  readonly row: TextRow
  readonly remove?: boolean
}

/** What one transaction did to one row; `op` is its position in the transaction. */
export interface RowEvent {
  readonly table: string
  readonly key: RowKey
  readonly op: number
  readonly before: Version | null
  readonly after: Version | null
}

export interface Transaction {
  readonly lsn: number
  readonly txid: number
  readonly changes: ReadonlyArray<RowEvent>
}

interface ServerTable {
  readonly columns: ReadonlyArray<string>
  readonly primaryKey: ReadonlyArray<string>
  readonly rows: Map<RowKey, Version>
  readonly history: Map<RowKey, Array<Version>>
}

const firstLsn = 1_000
const lsnStep = 16
const firstTxid = 700
/** Positions grow by two, as the server's do: the odd ones are for moves. */
const opStep = 2

export class ModelDatabase {
  readonly #tables = new Map<string, ServerTable>()
  /** Transactions that have begun and not committed. */
  readonly #open: Array<number> = []
  #seq = 0
  #lsn = firstLsn
  #nextTxid = firstTxid

  /** Empty tables for everything the graph's local tables come from. */
  constructor(graph: GraphData) {
    for (const { columns, from, primaryKey } of Object.values(graph.tables)) {
      const known = this.#tables.get(from)
      const names = new Set([...(known?.columns ?? []), ...Object.keys(columns)])
      this.#tables.set(from, {
        columns: [...names],
        primaryKey: known?.primaryKey ?? primaryKey,
        rows: new Map(),
        history: new Map(),
      })
    }
  }

  get tables(): ReadonlyArray<string> {
    return [...this.#tables.keys()]
  }

  /** The LSN of the last commit. */
  get lsn(): number {
    return this.#lsn
  }

  /** The primary key of a server table. */
  primaryKey(table: string): ReadonlyArray<string> {
    return this.#table(table).primaryKey
  }

  /** Readable rows of a table, in order of insertion. */
  readonly read = (table: string): ReadonlyArray<TextRow> =>
    [...this.#table(table).rows.values()].map(({ row }) => row)

  /** A row as it is now. */
  version(table: string, key: RowKey): Version | null {
    return this.#table(table).rows.get(key) ?? null
  }

  /** Every version a row ever had, oldest first. */
  history(table: string, key: RowKey): ReadonlyArray<Version> {
    return this.#table(table).history.get(key) ?? []
  }

  keyOf(table: string, row: TextRow): RowKey {
    return encodeKey(this.#table(table).primaryKey.map((column) => row[column] ?? ""))
  }

  /** A transaction begins that will commit later, behind ones that began after it. */
  begin(): void {
    this.#open.push(this.#nextTxid++)
  }

  /** What a snapshot taken now sees. */
  visibility(): SnapshotVisibility {
    return {
      xmin: String(Math.min(this.#nextTxid, ...this.#open)),
      xmax: String(this.#nextTxid),
      xip_list: this.#open.map(String),
    }
  }

  /** Commits writes as one transaction; null when they change nothing. `late`: under the id of one that began earlier. */
  commit(writes: ReadonlyArray<Write>, late = false): Transaction | null {
    const changes: Array<RowEvent> = []
    for (const write of writes) {
      const change = this.#write(write, changes.length * opStep)
      if (change !== null) changes.push(change)
    }
    if (changes.length === 0) return null
    this.#lsn += lsnStep
    const txid = (late ? this.#open.shift() : undefined) ?? this.#nextTxid++
    return { lsn: this.#lsn, txid, changes }
  }

  #write({ remove, row, table }: Write, op: number): RowEvent | null {
    const target = this.#table(table)
    const key = this.keyOf(table, row)
    const before = target.rows.get(key) ?? null
    if (remove === true) {
      if (before === null) return null
      this.#seq++
      target.rows.delete(key)
      return { table, key, op, before, after: null }
    }
    const next = Object.fromEntries(
      target.columns.map((column) => [
        column,
        row[column] ?? (column in row ? null : (before?.row[column] ?? null)),
      ]),
    )
    if (before !== null && target.columns.every((column) => before.row[column] === next[column])) return null
    const after: Version = { seq: ++this.#seq, row: next }
    target.rows.set(key, after)
    const history = target.history.get(key)
    if (history === undefined) target.history.set(key, [after])
    else history.push(after)
    return { table, key, op, before, after }
  }

  #table(name: string): ServerTable {
    const table = this.#tables.get(name)
    if (table === undefined) throw new Error(`the model server has no table "${name}"`)
    return table
  }
}
