/**
 * The capture adapter for a real Postgres 14 or later: logical replication with pgoutput. What other clients commit arrives
 * on a stream of its own, while the engine works in transactions with a snapshot each. `take` brings the two together: it
 * waits until the stream has come as far as the snapshot, and hands over exactly the transactions the snapshot shows.
 */
import type pg from "pg"
import type { Table } from "../db/catalog.ts"
import type { Database, Sql } from "../db/Database.ts"
import { quoteIdent } from "../db/identifier.ts"
import { readValue, SnapshotRetry } from "../db/Postgres.ts"
import { make as makeQueue } from "../shapes/SerialQueue.ts"
import type { Capture, Captured } from "./Capture.ts"
import { CommitBuffer, type TablesBySource, toCaptured } from "./CommitBuffer.ts"
import { atRecordEnd, readMoment } from "./moment.ts"
import { formatLsn, type Lsn, parseLsn } from "./pgoutput.ts"
import {
  followPartitions,
  publish,
  type PublishedTable,
  publishTable,
  readPublished,
  unpublish,
} from "./publication.ts"
import { ReplicationStream } from "./ReplicationStream.ts"

/** How a capture is set up. */
export interface LogicalOptions {
  readonly url: string
  /** The engine's transactions: repeatable read. */
  readonly db: Database
  readonly pool: pg.Pool
  /** Names publication, slot and, where it is lasting, the schema of our tables. */
  readonly name: string
  /** Whether publication and slot outlive the server, so that the next one goes on where this one stopped. */
  readonly isLasting: boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

/** A running capture. `close` ends the stream and leaves the database as it is. */
export interface LogicalCapture extends Capture {
  readonly close: () => Promise<void>
}

/** How long a round waits for the stream to come as far as its snapshot. */
const reachMillis = 15_000

/** After this long without news of tables, log that was written may have been a change of definitions. */
const quietMillis = 500

/** Pause before looking again for a transaction that is logged but not visible yet. */
const soonMillis = 5

class Adapter implements LogicalCapture {
  readonly #options: LogicalOptions
  readonly #buffer = new CommitBuffer()
  /** Followed tables by oid, as last seen; `null` until a snapshot has shown them. */
  readonly #tables = new Map<string, PublishedTable | null>()
  /** Of these changes are missing; they must be tracked anew. */
  readonly #lost = new Set<string>()
  readonly #tracking = makeQueue()
  #stream: ReplicationStream | null = null
  #heard: () => void = () => undefined
  /** Rises with every break of the stream's continuity; the rounds up to `#gapsTold` have said so. */
  #gaps = 0
  #gapsTold = 0
  #taken: Lsn = 0
  #quiet: NodeJS.Timeout | null = null
  #checking: Promise<boolean> | null = null
  #nextCheck: Promise<boolean> | null = null
  #isClosed = false

  constructor(options: LogicalOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    const { url, name, isLasting, now, onFailure } = this.#options
    this.#stream = await ReplicationStream.open({
      url,
      name,
      isTemporary: !isLasting,
      now,
      publish: (client) =>
        publish(async (text) => (await client.query<Record<string, string>>(text)).rows, name),
      onMessage: (message) => {
        if (this.#buffer.add(message)) this.#announce()
      },
      onProgress: () => this.#progressed(),
      onGap: () => {
        this.#gaps += 1
        this.#buffer.clear()
        this.#announce()
      },
      onFailure,
    })
    if (!isLasting) this.#gapsTold = this.#gaps
  }

  #announce(): void {
    if (!this.#isClosed) this.#heard()
  }

  #announceIn(millis: number): void {
    this.#quiet ??= setTimeout(() => {
      this.#quiet = null
      this.#announce()
    }, millis).unref()
  }

  #progressed(): void {
    if (!this.#buffer.isEmpty) return
    if (this.#stream !== null) this.#stream.confirm(this.#stream.received)
    // Definitions change without a message; a look at the catalog now and then finds it.
    if (this.#tables.size > 0) this.#announceIn(quietMillis)
  }

  readonly install = async (sql: Sql): Promise<number> => {
    const { name, isLasting } = this.#options
    const start = this.#stream?.start ?? 0
    if (!isLasting) return start
    const s = quoteIdent(name)
    await sql.exec(`
      create schema if not exists ${s};
      create table if not exists ${s}.capture (is_single boolean primary key default true check (is_single), taken pg_lsn not null);
      insert into ${s}.capture (taken) values ('0/0') on conflict do nothing;`)
    this.#taken = await this.#readTaken(sql)
    if (this.#gaps === this.#gapsTold) this.#buffer.skipTo(this.#taken)
    return Math.max(start, this.#taken)
  }

  async #readTaken(sql: Sql): Promise<Lsn> {
    const [row] = await sql.rows(`select taken from ${quoteIdent(this.#options.name)}.capture`)
    return parseLsn(String(row?.[0] ?? "0/0"))
  }

  readonly track = (tables: ReadonlyArray<Table>): Promise<ReadonlyArray<string>> =>
    this.#tracking.run(async () => {
      const added: Array<string> = []
      for (const table of tables) {
        if (this.#tables.has(table.oid) && !this.#lost.has(table.oid)) continue
        const { db, name } = this.#options
        if (await db.transaction((sql) => publishTable(sql, name, table))) added.push(table.oid)
        this.#tables.set(table.oid, null)
        this.#lost.delete(table.oid)
      }
      return added
    })

  readonly isBehind = (): Promise<boolean> => {
    // A question that is under way was asked too early for whoever asks now; the next one serves all who wait for it.
    this.#nextCheck ??= (this.#checking ?? Promise.resolve())
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        this.#checking = this.#nextCheck
        this.#nextCheck = null
        return this.#check()
      })
    return this.#nextCheck
  }

  async #check(): Promise<boolean> {
    if (this.#buffer.hasPending || this.#gaps > this.#gapsTold) return true
    const inserted = await readValue(this.#options.pool, "select pg_current_wal_insert_lsn()")
    return atRecordEnd(parseLsn(String(inserted))) > (this.#stream?.received ?? 0)
  }

  readonly take = async (sql: Sql): Promise<Captured> => {
    const { pool, name, isLasting } = this.#options
    const moment = await readMoment(sql)
    // A commit that did not wait for the disk is visible before it is streamed; a commit that does wait pushes it along.
    if (!moment.isFlushed) await readValue(pool, "select pg_logical_emit_message(true, 'espalier', '')")
    await this.#stream?.reach(moment.lsn, reachMillis)
    const shown = this.#buffer.visible(moment.visibility)
    if (shown === null) throw new SnapshotRetry("a transaction is logged and not yet visible")
    const gaps = this.#gaps
    const stored = isLasting ? await this.#readTaken(sql) : this.#taken
    const last = shown.at(-1)?.lsn ?? this.#taken
    if (isLasting && last !== stored) {
      await sql.rows(`update ${quoteIdent(name)}.capture set taken = $1::pg_lsn`, [formatLsn(last)])
    }
    const found = await readPublished(sql, name, this.#tables.keys())
    const { changed, lost } = this.#compare(found)
    sql.afterCommit(() => {
      this.#buffer.remove(shown)
      this.#gapsTold = Math.max(this.#gapsTold, gaps)
      this.#taken = last
      for (const [oid, table] of found) if (table.isFollowed) this.#tables.set(oid, table)
      for (const oid of lost) {
        if (found.has(oid)) this.#lost.add(oid)
        else this.#tables.delete(oid)
      }
      this.#afterTaking([...found.values()].flatMap((table) => table.partial))
    })
    const sources = bySource(found)
    return {
      transactions: shown.map((transaction) => toCaptured(transaction, sources)),
      schemaChanged: changed,
      lost: gaps > this.#gapsTold || stored !== this.#taken ? "all" : lost,
    }
  }

  /** Against what the last round saw. A table followed after this round's snapshot began is neither changed nor lost. */
  #compare(found: ReadonlyMap<string, PublishedTable>): {
    readonly changed: boolean
    readonly lost: ReadonlyArray<string>
  } {
    let changed = false
    const lost: Array<string> = []
    for (const [oid, known] of this.#tables) {
      const table = found.get(oid)
      // A partition comes or goes with all its rows, and nothing of them is in the log.
      if (known?.fingerprint !== table?.fingerprint || known?.sources.join() !== table?.sources.join())
        changed = true
      if (this.#lost.has(oid) || (known !== null && table?.isFollowed !== true)) lost.push(oid)
    }
    return { changed, lost }
  }

  #afterTaking(partial: ReadonlyArray<string>): void {
    if (this.#stream !== null)
      this.#stream.confirm(this.#buffer.isEmpty ? this.#stream.received : this.#taken)
    if (this.#buffer.hasPending) this.#announceIn(soonMillis)
    if (partial.length === 0) return
    this.#options.db.transaction((sql) => followPartitions(sql, partial)).catch(this.#options.onFailure)
  }

  readonly tidy = (): Promise<void> => Promise.resolve()

  readonly listen = (heard: () => void): Promise<() => Promise<void>> => {
    this.#heard = heard
    return Promise.resolve(() => {
      this.#heard = () => undefined
      return Promise.resolve()
    })
  }

  readonly remove = async (sql: Sql): Promise<void> => {
    await this.close()
    await unpublish(sql, this.#options.name)
    if (this.#options.isLasting)
      await sql.exec(`drop schema if exists ${quoteIdent(this.#options.name)} cascade`)
  }

  readonly close = async (): Promise<void> => {
    this.#isClosed = true
    if (this.#quiet !== null) clearTimeout(this.#quiet)
    this.#quiet = null
    await this.#stream?.close()
  }
}

/** By every oid the log may name a table under: TRUNCATE of a root names it beside its partitions. */
const bySource = (found: ReadonlyMap<string, PublishedTable>): TablesBySource => {
  const tables = new Map<string, Array<PublishedTable>>()
  for (const table of found.values()) {
    for (const oid of new Set([...table.sources, table.oid]))
      tables.set(oid, [...(tables.get(oid) ?? []), table])
  }
  return tables
}

/** Connects and makes publication and slot. Rejects with a sentence about what is missing. */
export const open = async (options: LogicalOptions): Promise<LogicalCapture> => {
  const adapter = new Adapter(options)
  await adapter.open()
  return adapter
}
