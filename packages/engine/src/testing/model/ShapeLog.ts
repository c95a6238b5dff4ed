/**
 * One handle of one shape: the snapshot it began with and the log since, as Electric writes them (protocol reference §3, §6,
 * §13): filter transitions become inserts and deletes, subquery values that come and go become move events, move-in rows come
 * from a query of their own, and meanwhile transactions wait. It also knows what every offset means in rows, which is the oracle of
 * "the checkpoint is never ahead of the data". Pure but for its own state; the server gives it transactions and the time.
 */
import type { RowKey } from "../../adapters/store/rowKey.ts"
import type { Message } from "../../protocol/Message.ts"
import type { Instance } from "../../protocol/Shape.ts"
import { del, insert, markedLast, moveIn, moveOut, snapshotEnd, update } from "../messages.ts"
import type { Committed, Effects, Entry, Move, MovePace } from "./entries.ts"
import {
  difference,
  keyColumns,
  type Member,
  memberOf,
  patternsOf,
  queryMembers,
  rowOf,
  sameSet,
  tagsOf,
} from "./members.ts"
import type { ModelDatabase, RowEvent, Transaction } from "./ModelDatabase.ts"
import { innerValues, type Selection } from "./selection.ts"

export interface ShapeLogOptions {
  readonly handle: string
  readonly instance: Instance
  readonly selection: Selection
  readonly database: ModelDatabase
  readonly pace: () => MovePace
  /** Whether the last change of a transaction says so; a real server forgets it now and then. Default: always. */
  readonly marksLast?: () => boolean
}

export class ShapeLog {
  readonly handle: string
  readonly instance: Instance
  readonly selection: Selection
  readonly snapshot: ReadonlyArray<Member>
  readonly snapshotEnd: Message
  readonly entries: Array<Entry> = []
  /** Entries that were ever sent. */
  served = 0
  readonly #options: ShapeLogOptions
  readonly #head = new Map<RowKey, Member>()
  #values: ReadonlySet<string> | null
  #move: Move | null = null

  constructor(options: ShapeLogOptions) {
    const { database, selection } = options
    this.#options = options
    this.handle = options.handle
    this.instance = options.instance
    this.selection = selection
    this.snapshotEnd = snapshotEnd(database.visibility())
    this.#values = this.#valuesNow()
    this.snapshot = queryMembers(this.#options.database, this.selection, this.#values)
    for (const member of this.snapshot) this.#head.set(member.key, member)
  }

  /** When a move-in under way wants to go on; null when none is. */
  get nextAt(): number | null {
    const move = this.#move
    return move === null ? null : move.told ? move.rowsAt : move.eventAt
  }

  /** Messages of a stretch of the snapshot. */
  snapshotMessages(from: number, to: number): ReadonlyArray<Message> {
    return this.snapshot
      .slice(from, to)
      .map((member) =>
        insert(this.#table, rowOf(this.selection, member), tagsOf(this.handle, this.selection, member.tuple)),
      )
  }

  /** To be called before a transaction changes the tables: a waiting query may have to be run just before it. */
  prepare(): (() => void) | null {
    const move = this.#move
    if (move === null || move.found !== null) return null
    const found = {
      rows: queryMembers(this.#options.database, this.selection, move.values),
      visibility: this.#options.database.visibility(),
    }
    return () => {
      move.found ??= found
    }
  }

  /** A transaction has committed. `fix` is what {@link prepare} returned. */
  commit(transaction: Transaction, fix: (() => void) | null, now: number): void {
    const committed: Committed = { transaction, values: this.#valuesNow() }
    const move = this.#move
    if (move === null) {
      this.#process(committed, now)
      return
    }
    const expected = new Set([...(this.#values ?? []), ...move.values])
    if (sameSet(expected, committed.values)) {
      ;(move.found === null ? move.before : move.after).push(committed)
      return
    }
    // One move at a time: the next one makes this one finish first, with what its query would have seen until now.
    fix?.()
    this.#advance(move, Number.POSITIVE_INFINITY)
    this.#process(committed, now)
  }

  /** Carries on with a move-in whose time has come. Returns whether the log grew. */
  settle(now: number): boolean {
    const length = this.entries.length
    if (this.#move !== null) this.#advance(this.#move, now)
    return this.entries.length > length
  }

  /** Index of the first entry after a position. */
  indexAfter(tx: number, op: number): number {
    let index = this.entries.length
    for (; index > 0; index--) {
      const entry = this.entries[index - 1]
      if (entry !== undefined && (entry.tx < tx || (entry.tx === tx && entry.op <= op))) break
    }
    return index
  }

  get #table(): string {
    return this.selection.table.from
  }

  #valuesNow(): ReadonlySet<string> | null {
    const { inner } = this.selection
    return inner === null ? null : innerValues(inner, this.#options.database.read)
  }

  #process({ transaction, values }: Committed, now: number): void {
    const known = this.#values
    if (values === null || known === null || sameSet(known, values)) {
      this.#changes(transaction, known)
      return
    }
    const left = difference(known, values)
    const entered = difference(values, known)
    const stable = difference(known, left)
    if (left.size > 0) this.#leave(left, transaction)
    this.#changes(transaction, stable)
    this.#values = stable
    if (entered.size > 0) this.#enter(entered, transaction, now)
  }

  #leave(values: ReadonlySet<string>, { txid }: Transaction): void {
    const gone = [...this.#head.values()].filter(({ tuple }) => tuple !== null && values.has(tuple))
    for (const { key } of gone) this.#head.delete(key)
    const patterns = patternsOf(this.handle, values)
    this.#append(
      null,
      moveOut(patterns, txid),
      gone.map(({ key }) => [key, null]),
    )
    this.#close()
  }

  #enter(values: ReadonlySet<string>, { txid }: Transaction, now: number): void {
    const pace = this.#options.pace()
    const rows = pace.late ? null : queryMembers(this.#options.database, this.selection, values)
    this.#move = {
      values,
      txid,
      found: rows === null ? null : { rows, visibility: this.#options.database.visibility() },
      before: [],
      after: [],
      eventAt: now + pace.eventMillis,
      rowsAt: now + pace.eventMillis + pace.rowsMillis,
      told: false,
    }
    this.settle(now)
  }

  #advance(move: Move, now: number): void {
    if (now < (move.told ? move.rowsAt : move.eventAt)) return
    const found = (move.found ??= {
      rows: queryMembers(this.#options.database, this.selection, move.values),
      visibility: this.#options.database.visibility(),
    })
    if (!move.told) {
      for (const { transaction } of move.before) this.#changes(transaction, this.#values)
      const patterns = patternsOf(this.handle, move.values)
      this.#append(null, moveIn(patterns, move.txid), [])
      this.#close()
      move.told = true
      if (now < move.rowsAt) return
    }
    for (const member of found.rows) {
      this.#head.set(member.key, member)
      const options = { ...tagsOf(this.handle, this.selection, member.tuple), moveIn: true }
      this.#append(null, insert(this.#table, rowOf(this.selection, member), options), [
        [member.key, member.version.seq],
      ])
    }
    if (found.rows.length > 0) this.#append(null, snapshotEnd(found.visibility), [])
    this.#close()
    this.#values = new Set([...(this.#values ?? []), ...move.values])
    this.#move = null
    for (const { transaction } of move.after) this.#changes(transaction, this.#values)
  }

  #changes(transaction: Transaction, values: ReadonlySet<string> | null): void {
    const before = this.entries.length
    for (const change of transaction.changes) {
      if (change.table === this.#table) this.#change(transaction, change, values)
    }
    if (this.entries.length > before && this.#options.marksLast?.() !== false) this.#markLast()
    this.#close()
  }

  #markLast(): void {
    const entry = this.entries.pop()
    if (entry !== undefined) this.entries.push({ ...entry, message: markedLast(entry.message) })
  }

  #change({ lsn, txid }: Transaction, change: RowEvent, values: ReadonlySet<string> | null): void {
    const known = this.#head.get(change.key)
    const next = change.after === null ? null : memberOf(this.selection, change.key, change.after, values)
    const at = { lsn, op: change.op, txid }
    if (next === null) {
      if (known === undefined) return
      this.#head.delete(change.key)
      this.#append(at, del(this.#table, keyColumns(this.selection, known.version.row), at), [
        [change.key, null],
      ])
      return
    }
    this.#head.set(change.key, next)
    const tags = tagsOf(this.handle, this.selection, next.tuple)
    const effects: Effects = [[change.key, next.version.seq]]
    if (known === undefined) {
      this.#append(at, insert(this.#table, rowOf(this.selection, next), { ...at, ...tags }), effects)
      return
    }
    const before = rowOf(this.selection, known)
    const sent = Object.fromEntries(
      Object.entries(rowOf(this.selection, next)).filter(
        ([column, value]) => before[column] !== value || this.selection.table.primaryKey.includes(column),
      ),
    )
    const removed =
      known.tuple === next.tuple || known.tuple === null
        ? []
        : (tagsOf(this.handle, this.selection, known.tuple).tags ?? [])
    const moved = next.tuple === null ? {} : { ...tags, removedTags: removed }
    const changed = Object.keys(sent).length > this.selection.table.primaryKey.length
    // Columns this shape does not select are not its business, except that its tags may have changed.
    if (changed || removed.length > 0)
      this.#append(at, update(this.#table, sent, { ...at, ...moved }), effects)
  }

  #append(
    at: { readonly lsn: number; readonly op: number } | null,
    message: Message,
    effects: Effects,
  ): void {
    const last = this.entries.at(-1) ?? { tx: 1, op: 0 }
    const position = at === null ? { tx: last.tx, op: last.op + 1 } : { tx: at.lsn, op: at.op }
    this.entries.push({ ...position, message, effects, boundary: false })
  }

  #close(): void {
    const last = this.entries.at(-1)
    if (last !== undefined) last.boundary = true
  }
}
