/**
 * One replication connection to Postgres: takes the lock of its name, makes the slot where there is none, streams committed
 * transactions in commit order, reports how far they were taken, and connects again with growing pauses when Postgres
 * goes away. Says so when transactions may be missing. It knows no tables and no shapes. Used by LogicalCapture only.
 */
import pg from "pg"
import { SqlFailure } from "../db/Database.ts"
import { quoteIdent, quoteText } from "../db/identifier.ts"
import { formatLsn, type Lsn, type Message, parseLsn, readMessage } from "./pgoutput.ts"
import { ReplicationWire } from "./ReplicationWire.ts"

/** How a stream is set up. */
export interface StreamOptions {
  readonly url: string
  /** Names the publication, the slot and the lock. */
  readonly name: string
  /** A temporary slot ends with its connection; a lasting one keeps the log for the next start. */
  readonly isTemporary: boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Makes the publication where there is none. Run before the slot exists: a slot cannot see publications made after it. */
  readonly publish: (client: pg.Client) => Promise<void>
  readonly onMessage: (message: Message) => void
  /** The log has been read further, with or without messages. */
  readonly onProgress: () => void
  /** The slot is new: whatever follows does not continue what came before. */
  readonly onGap: () => void
  readonly onFailure: (error: unknown) => void
}

/** What every value is printed under, whatever the role or the database says (protocol reference §3.1). */
const sessionOptions = [
  "bytea_output=hex",
  "datestyle=ISO,DMY",
  "timezone=UTC",
  "extra_float_digits=1",
  "intervalstyle=iso_8601",
  'search_path="$user",public',
  "statement_timeout=0",
  "lock_timeout=0",
]

/** Pauses between attempts to connect, in milliseconds; the last one repeats. */
const pauses = [50, 100, 250, 500, 1_000, 2_000, 5_000]

/** How long a connection may take to come about. */
const connectMillis = 10_000

/** How often Postgres is told how far we are, unasked; it gives up on a silent client after a minute. */
const statusMillis = 10_000

/** How often a waiting reader asks Postgres to say how far it has sent. */
const askMillis = 25

/** The stream is not connected, or did not get as far as it should in time. */
export class StreamUnavailable extends SqlFailure {
  constructor(message: string) {
    super(message, "08006", null, null)
    this.name = "StreamUnavailable"
  }
}

/** Slot or publication are gone, or Postgres threw the log away: only a new slot helps. */
const isSlotLost = (error: unknown): boolean => {
  const code = (error as { readonly code?: unknown }).code
  return code === "42704" || code === "55000" || code === "58P01"
}

/** What went wrong, without the connection that `pg` hangs on its errors. */
const asFailure = (error: unknown): StreamUnavailable =>
  error instanceof StreamUnavailable
    ? error
    : new StreamUnavailable(`replication: ${error instanceof Error ? error.message : String(error)}`)

/** A running stream. */
export class ReplicationStream {
  readonly #options: StreamOptions
  #client: pg.Client | null = null
  #wire: ReplicationWire | null = null
  #timer: NodeJS.Timeout | null = null
  #attempt = 0
  #isClosed = false
  #start: Lsn = 0
  #received: Lsn = 0
  #confirmed: Lsn = 0
  readonly #readers = new Set<() => void>()

  private constructor(options: StreamOptions) {
    this.#options = options
  }

  /** Connects. Rejects when the first connection fails: what is wrong then will not mend itself. */
  static async open(options: StreamOptions): Promise<ReplicationStream> {
    const stream = new ReplicationStream(options)
    await stream.#connect()
    return stream
  }

  /** Where the slot stood when the stream connected: transactions handed over since ended behind it. */
  get start(): Lsn {
    return this.#start
  }

  /** Everything committed up to here has been handed over. */
  get received(): Lsn {
    return this.#received
  }

  get isConnected(): boolean {
    return this.#wire !== null
  }

  /** Tells Postgres that nothing up to `lsn` is needed again. */
  confirm(lsn: Lsn): void {
    if (lsn <= this.#confirmed) return
    this.#confirmed = lsn
    this.#report(false)
  }

  /** Waits until everything up to `lsn` has been handed over. @throws StreamUnavailable */
  async reach(lsn: Lsn, withinMillis: number): Promise<void> {
    if (this.#received >= lsn) return
    await new Promise<void>((resolve, reject) => {
      const ask = setInterval(() => this.#report(true), askMillis)
      const giveUp = setTimeout(() => {
        done()
        reject(new StreamUnavailable(`the replication stream did not reach ${formatLsn(lsn)} in time`))
      }, withinMillis)
      const check = (): void => {
        if (this.#received >= lsn) {
          done()
          resolve()
        } else if (this.#isClosed) {
          done()
          reject(new StreamUnavailable("the replication stream was closed"))
        }
      }
      const done = (): void => {
        clearInterval(ask)
        clearTimeout(giveUp)
        this.#readers.delete(check)
      }
      this.#readers.add(check)
      this.#report(true)
    })
  }

  /** Ends the stream. A temporary slot goes with it. */
  async close(): Promise<void> {
    this.#isClosed = true
    const client = this.#client
    this.#drop()
    for (const reader of this.#readers) reader()
    await client?.end().catch(() => undefined)
  }

  async #connect(): Promise<void> {
    const { url, name, publish } = this.#options
    const client = new pg.Client({
      connectionString: url,
      // Postgres splits options at blanks; none of ours holds one.
      options: sessionOptions.map((option) => `-c ${option}`).join(" "),
      application_name: name,
      connectionTimeoutMillis: connectMillis,
      ...({ replication: "database" } as object),
    })
    client.on("error", (error) => this.#lost(client, error))
    client.on("end", () => this.#lost(client, new StreamUnavailable("the replication connection was closed")))
    this.#client = client
    await client.connect()
    await this.#lock(client)
    await publish(client)
    const slot = await this.#makeSlot(client)
    this.#start = slot.lsn
    this.#received = slot.isNew ? slot.lsn : Math.max(this.#received, slot.lsn)
    this.#confirmed = slot.lsn
    if (slot.isNew) this.#options.onGap()
    this.#wire = await ReplicationWire.start(
      client,
      `START_REPLICATION SLOT ${quoteIdent(name)} LOGICAL 0/0 (proto_version '1', publication_names ${quoteText(quoteIdent(name))})`,
      {
        onMessage: (bytes, lsn) => {
          const message = readMessage(bytes)
          this.#options.onMessage(message)
          if (message.kind === "commit") this.#advance(Math.max(lsn, message.endLsn))
        },
        onKeepAlive: (lsn, isAsking) => {
          this.#advance(lsn)
          if (isAsking) this.#report(false)
        },
        onEnd: (error) => this.#lost(client, error),
      },
    )
    this.#attempt = 0
    this.#timer = setInterval(() => this.#report(false), statusMillis)
    this.#timer.unref()
  }

  /** One server per name: two would take each other's changes. The lock lives as long as the connection. */
  async #lock(client: pg.Client): Promise<void> {
    const { name } = this.#options
    const { rows } = await client.query<{ readonly held: boolean }>(
      `select pg_try_advisory_lock(hashtextextended(${quoteText(name)}, 0)) as held`,
    )
    if (rows[0]?.held !== true) {
      throw new StreamUnavailable(`another dev-server uses this database under the name ${name}`)
    }
  }

  /** Answers where the slot stands, and whether it is new: nothing from before it will ever come then. */
  async #makeSlot(client: pg.Client): Promise<{ readonly lsn: Lsn; readonly isNew: boolean }> {
    const { name, isTemporary } = this.#options
    const { rows } = await client.query<{ readonly usable: boolean; readonly lsn: string }>(
      `select database = current_database() and plugin = 'pgoutput' and wal_status is distinct from 'lost' as usable,
         confirmed_flush_lsn as lsn
       from pg_replication_slots where slot_name = ${quoteText(name)}`,
    )
    const [known] = rows
    if (known?.usable === true && !isTemporary) return { lsn: parseLsn(known.lsn), isNew: false }
    if (known !== undefined) await client.query(`select pg_drop_replication_slot(${quoteText(name)})`)
    const temporary = isTemporary ? "TEMPORARY " : ""
    const made = await client.query<{ readonly consistent_point: string }>(
      `CREATE_REPLICATION_SLOT ${quoteIdent(name)} ${temporary}LOGICAL pgoutput NOEXPORT_SNAPSHOT`,
    )
    return { lsn: parseLsn(made.rows[0]?.consistent_point ?? "0/0"), isNew: true }
  }

  #advance(lsn: Lsn): void {
    if (lsn <= this.#received) return
    this.#received = lsn
    this.#options.onProgress()
    for (const reader of this.#readers) reader()
  }

  #report(isAsking: boolean): void {
    this.#wire?.report(this.#received, this.#confirmed, isAsking, this.#options.now())
  }

  #drop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#wire = null
    this.#client = null
  }

  #lost(client: pg.Client, error: unknown): void {
    if (this.#client !== client) return
    const wasStreaming = this.#wire !== null
    this.#drop()
    client.end().catch(() => undefined)
    // A failure before streaming belongs to whoever called #connect.
    if (this.#isClosed || !wasStreaming) return
    this.#options.onFailure(asFailure(error))
    this.#retry(error)
  }

  #retry(error: unknown): void {
    const pause = pauses[Math.min(this.#attempt, pauses.length - 1)] ?? 0
    this.#attempt += 1
    const again = async (): Promise<void> => {
      if (this.#isClosed) return
      try {
        if (isSlotLost(error)) await this.#forgetSlot()
        await this.#connect()
      } catch (next) {
        const client = this.#client
        this.#drop()
        await client?.end().catch(() => undefined)
        if (this.#isClosed) return
        this.#options.onFailure(asFailure(next))
        this.#retry(next)
      }
    }
    setTimeout(() => void again(), pause).unref()
  }

  async #forgetSlot(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#options.url })
    await client.connect()
    try {
      await client.query(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active",
        [this.#options.name],
      )
    } finally {
      await client.end()
    }
  }
}
