/**
 * Our statements over the raw protocol: prepared once, many in one message, so that a small commit is one or two calls into the
 * database instead of six per statement. Must only be used while the transaction lock is held: raw calls land in whatever
 * transaction is open. Made by `PgliteLocalStore.ts`, one per open database.
 */
import type { PGlite } from "@electric-sql/pglite"
import type { Field } from "./sql.ts"
import { type Column, encodeColumn, type Mode, spelled } from "./wire/arrays.ts"
import { ByteWriter } from "./wire/ByteWriter.ts"
import { arrayLiteral, deliver, type Statement, type Waiting } from "./wire/results.ts"

/** A message of more bytes is sent before more is added. */
const fullBytes = 1024 * 1024

/** Gets a statement's rows. */
type Rows<Row> = (rows: ReadonlyArray<Row>) => void

/**
 * Our statements look rows up by key, however old the statistics are that their plan is made with. Said once in each transaction that
 * plans a statement; it ends with the transaction.
 */
const planByKey = `select set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
  set_config('enable_seqscan', 'off', true)`

const generations = `select coalesce(max(split_part(name, '_', 2)::int4), 0) from pg_prepared_statements
  where name like 'espalier\\_%'`

export class RawSession {
  readonly #database: Pick<PGlite, "execProtocol">
  readonly #message = new ByteWriter()
  readonly #scratch = new ByteWriter()
  readonly #statements = new Map<string, Statement>()
  readonly #spellings = new Map<string, Map<string, string>>()
  #waiting: Array<Waiting> = []
  /** Statements first sent in the message under way; forgotten when it fails. */
  #fresh: Array<string> = []
  /** {@link planByKey} was said in this transaction. */
  #planning = false
  /** What must be said before the first statement that does not say it itself. */
  #unsaid: string | null = null
  /** Length of an unsent BEGIN at the start of the message; 0 when it was sent or must be. */
  #beginBytes = 0
  #count = 0
  #sent = 0
  /** Sets our statements apart from those of an earlier store on the same database. Asked for once. */
  #generation: string | null = null

  constructor(database: Pick<PGlite, "execProtocol">) {
    this.#database = database
  }

  /** {@link open} was called. */
  get isOpen(): boolean {
    return this.#generation !== null
  }

  /** Must be called, under the lock, before anything else. */
  async open(): Promise<void> {
    if (this.isOpen) return
    const mark = this.#message.begin("Q")
    this.#message.cString(generations)
    this.#message.end(mark)
    const { messages } = await this.#database.execProtocol(this.#message.written(), { syncToFs: false })
    this.#message.clear()
    const row = messages.find(({ name }) => name === "dataRow")
    const [last] = row !== undefined && "fields" in row ? (row.fields as ReadonlyArray<string>) : []
    this.#generation = String(Number(last ?? 0) + 1)
  }

  /** Runs a statement, after all that were pushed before. */
  async query<Row>(sql: string, params: ReadonlyArray<unknown> = []): Promise<{ readonly rows: Array<Row> }> {
    const rows: Array<Row> = []
    this.push<Row>(sql, params, (found) => rows.push(...found))
    await this.flush()
    return { rows }
  }

  /** Runs statements without parameters, never prepared. */
  async exec(sql: string): Promise<void> {
    this.#say()
    await this.flush()
    const mark = this.#message.begin("Q")
    this.#message.cString(sql)
    this.#message.end(mark)
    await this.#send()
  }

  /** Runs a statement outside any transaction. */
  async alone(sql: string): Promise<void> {
    this.discard()
    await this.exec(sql)
  }

  /** Adds a statement to the next message; `done` gets its rows when that was sent. */
  push<Row>(sql: string, params: ReadonlyArray<unknown>, done?: Rows<Row>): void {
    this.#say()
    this.#push(sql, params, done)
  }

  /** {@link push} of a statement that makes the transaction's settings itself, as far as it needs them to run; not to be planned. */
  pushSetting(sql: string, params: ReadonlyArray<unknown>, done?: Rows<never>): void {
    if (!this.#statements.has(sql)) this.#say()
    this.#push(sql, params, done)
  }

  #push<Row>(sql: string, params: ReadonlyArray<unknown>, done?: Rows<Row>): void {
    const statement = this.#prepare(sql)
    const message = this.#message
    const mark = this.#bind(statement)
    message.int16(0)
    message.int16(params.length)
    for (const param of params) this.#param(param)
    this.#execute(mark, sql, statement, done)
  }

  /** Adds a statement over columns of rows `first` to `first + count`, with trailing scalars. */
  pushColumns<Row>(
    sql: string,
    fields: ReadonlyArray<Field>,
    columns: ReadonlyArray<Column>,
    first: number,
    count: number,
    scalars: ReadonlyArray<unknown>,
    done?: Rows<Row>,
  ): void {
    this.#say()
    const scratch = this.#scratch
    scratch.clear()
    const encoded = fields.map((field, index) =>
      encodeColumn(scratch, field, columns[index] ?? { constant: null }, first, count),
    )
    const statement = this.#prepare(
      this.#spelling(
        sql,
        fields,
        encoded.map(({ mode }) => mode),
      ),
    )
    const message = this.#message
    const mark = this.#bind(statement)
    message.int16(encoded.length + scalars.length)
    for (const { mode } of encoded) message.int16(mode === "constant" ? 0 : 1)
    for (const _ of scalars) message.int16(0)
    message.int16(encoded.length + scalars.length)
    for (const { end, start } of encoded) message.raw(scratch.bytes.subarray(start, end))
    for (const scalar of scalars) this.#param(scalar)
    this.#execute(mark, sql, statement, done)
  }

  /**
   * Begins a transaction; `settings` is said before its first statement. Nothing is sent yet: one message alone is a transaction of
   * its own and needs neither BEGIN nor COMMIT.
   */
  begin(settings: string | null): void {
    this.discard()
    this.#planning = false
    this.#push("begin", [])
    this.#beginBytes = this.#fresh.length > 0 ? 0 : this.#message.length
    this.#unsaid = settings
  }

  /** Commits what {@link begin} began. */
  async commit(): Promise<void> {
    if (this.#beginBytes > 0) this.#waiting.shift()
    else this.push("commit", [])
    await this.#finish()
  }

  /** Bytes sent since this was last asked. */
  takeSent(): number {
    const sent = this.#sent
    this.#sent = 0
    return sent
  }

  /** The message under way is large enough to be sent. */
  get full(): boolean {
    return this.#message.length > fullBytes
  }

  /** Sends what was pushed, as one message. @throws the first error of Postgres; statements behind it were not run */
  async flush(): Promise<void> {
    if (this.#message.length === 0) return
    this.#beginBytes = 0
    await this.#finish()
  }

  /** Sends a message that `write` makes (a COPY), behind what was pushed. */
  async send(write: (message: ByteWriter) => void): Promise<void> {
    this.#say()
    await this.flush()
    write(this.#message)
    if (this.#message.length > 0) await this.#send()
  }

  /** Drops what was pushed and not sent. */
  discard(): void {
    this.#message.clear()
    this.#beginBytes = 0
    this.#unsaid = null
    this.#waiting = []
    for (const sql of this.#fresh.splice(0)) this.#statements.delete(sql)
  }

  /** Prepares everything anew: someone may have deallocated our statements. */
  forget(): void {
    this.discard()
    this.#statements.clear()
  }

  #say(): void {
    const settings = this.#unsaid
    if (settings === null) return
    this.#unsaid = null
    this.#push(settings, [])
  }

  async #finish(): Promise<void> {
    this.#message.end(this.#message.begin("S"))
    await this.#send()
  }

  async #send(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      const bytes = this.#message.written().subarray(this.#beginBytes)
      this.#sent += bytes.length
      const { messages } = await this.#database.execProtocol(bytes, { syncToFs: false })
      this.#message.clear()
      this.#beginBytes = 0
      this.#fresh = []
      deliver(messages, waiting)
    } catch (error) {
      this.discard()
      throw error
    }
  }

  #prepare(sql: string): Statement {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    if (!this.#planning && sql !== "begin") {
      this.#planning = true
      this.#push(planByKey, [])
    }
    this.#count += 1
    const statement: Statement = { name: `espalier_${this.#generation ?? ""}_${this.#count}`, fields: null }
    this.#statements.set(sql, statement)
    this.#fresh.push(sql)
    const message = this.#message
    const parse = message.begin("P")
    message.cString(statement.name)
    message.cString(sql)
    message.int16(0)
    message.end(parse)
    const describe = message.begin("D")
    message.byte(83)
    message.cString(statement.name)
    message.end(describe)
    return statement
  }

  #bind(statement: Statement): number {
    const mark = this.#message.begin("B")
    this.#message.byte(0)
    this.#message.cString(statement.name)
    return mark
  }

  #execute<Row>(mark: number, sql: string, statement: Statement, done?: Rows<Row>): void {
    const message = this.#message
    message.int16(0)
    message.end(mark)
    const execute = message.begin("E")
    message.byte(0)
    message.int32(0)
    message.end(execute)
    const finish = done as ((rows: ReadonlyArray<Record<string, unknown>>) => void) | undefined
    this.#waiting.push({ sql, statement, rows: [], done: finish ?? null })
  }

  #param(param: unknown): void {
    if (param === null || param === undefined) this.#message.int32(-1)
    else this.#message.text(Array.isArray(param) ? arrayLiteral(param) : String(param), "parameter")
  }

  #spelling(sql: string, fields: ReadonlyArray<Field>, modes: ReadonlyArray<Mode>): string {
    const byModes = this.#spellings.get(sql) ?? new Map<string, string>()
    const name = modes.join()
    const known = byModes.get(name)
    if (known !== undefined) return known
    const made = spelled(sql, fields, modes)
    byModes.set(name, made)
    this.#spellings.set(sql, byModes)
    return made
  }
}
