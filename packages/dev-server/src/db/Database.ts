/**
 * The one door to the database: transactions in which every parameter goes in as text and every value comes out as
 * Postgres text. Exists so that the engine never sees a parsed JavaScript value (a float, a Date) and does not know whether
 * PGlite or a real Postgres (`Postgres.ts`) stands behind it. It knows nothing of shapes. Used by capture, catalog, engine
 * and /sql.
 */
import type { PGlite, Transaction } from "@electric-sql/pglite"

/** A value as Postgres prints it; `null` is SQL NULL. */
export type Text = string | null

/** A row as its values in the order of the select list. */
export type TextRow = ReadonlyArray<Text>

/** Result of one statement. `columns` are the names of the select list, `affected` the rows written. */
export interface StatementResult {
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<TextRow>
  readonly affected: number
}

/** Statements inside one open transaction. */
export interface Sql {
  /** Runs one statement with parameters given as text. Rejects with {@link SqlFailure}. */
  readonly run: (text: string, params?: ReadonlyArray<Text>) => Promise<StatementResult>
  /** Runs one statement and answers its rows. */
  readonly rows: (text: string, params?: ReadonlyArray<Text>) => Promise<ReadonlyArray<TextRow>>
  /** Runs a script of statements without parameters. */
  readonly exec: (script: string) => Promise<void>
  /** Calls `then` once this transaction has committed, before whoever ran it goes on; never when it was rolled back. */
  readonly afterCommit: (then: () => void) => void
}

/** The database of one dev-server. */
export interface Database {
  /** Runs `body` in one transaction: committed when it resolves, rolled back when it rejects. Transactions run one by one. */
  readonly transaction: <A>(body: (sql: Sql) => Promise<A>) => Promise<A>
  /** Runs a script outside an explicit transaction, as a seed file needs it. */
  readonly exec: (script: string) => Promise<void>
  /** Calls `heard` after every commit that notified `channel`. Resolves to the function that stops it. */
  readonly listen: (channel: string, heard: () => void) => Promise<() => Promise<void>>
}

/** What Postgres said about a failed statement; a connection that broke has a `sqlstate` of class 08. */
export class SqlFailure extends Error {
  readonly _tag = "SqlFailure"
  readonly sqlstate: string | null
  /** 1-based position in the statement's text, where Postgres names one. */
  readonly position: number | null
  constructor(message: string, sqlstate: string | null, position: number | null, cause: unknown) {
    super(message, { cause })
    this.name = "SqlFailure"
    this.sqlstate = sqlstate
    this.position = position
  }
}

/** Whether the database could not be reached, rather than having refused a statement. */
export const isUnreachable = (error: unknown): error is SqlFailure =>
  error instanceof SqlFailure && error.sqlstate?.startsWith("08") === true

/** Whatever a driver threw, as a {@link SqlFailure}. */
export const failure = (cause: unknown): SqlFailure => {
  if (cause instanceof SqlFailure) return cause
  const error = cause as { message?: unknown; code?: unknown; position?: unknown }
  const position = Number(error.position)
  return new SqlFailure(
    typeof error.message === "string" ? error.message : String(cause),
    typeof error.code === "string" ? error.code : null,
    Number.isInteger(position) && position > 0 ? position : null,
    cause,
  )
}

const identity = (value: string): string => value

const asText = (value: unknown): string => String(value)

interface TextCodecs {
  readonly parsers: Record<number, (value: string) => string>
  readonly serializers: Record<number, (value: unknown) => string>
}

/**
 * Identity codecs for every type PGlite would convert, array types included. Those are registered per database, at its start and
 * whenever somebody asks for it; so the codecs are made again when there are more of them, not for every statement.
 */
const textCodecs = (db: PGlite): (() => TextCodecs) => {
  let known = -1
  let codecs: TextCodecs = { parsers: {}, serializers: {} }
  return () => {
    const oids = Object.keys(db.parsers)
    if (oids.length === known) return codecs
    known = oids.length
    codecs = { parsers: {}, serializers: {} }
    for (const oid of oids) codecs.parsers[Number(oid)] = identity
    for (const oid of Object.keys(db.serializers)) codecs.serializers[Number(oid)] = asText
    return codecs
  }
}

const runner = (tx: Transaction, codecs: () => TextCodecs, committed: Array<() => void>): Sql => {
  const run: Sql["run"] = async (text, params = []) => {
    try {
      const result = await tx.query<Array<Text>>(text, [...params], { rowMode: "array", ...codecs() })
      return {
        columns: result.fields.map((field) => field.name),
        rows: result.rows,
        affected: result.affectedRows ?? 0,
      }
    } catch (cause) {
      throw failure(cause)
    }
  }
  return {
    run,
    rows: async (text, params) => (await run(text, params)).rows,
    exec: async (script) => {
      try {
        await tx.exec(script)
      } catch (cause) {
        throw failure(cause)
      }
    },
    afterCommit: (then) => void committed.push(then),
  }
}

/** A {@link Database} over an open PGlite. It does not close it. */
export const fromPGlite = (db: PGlite): Database => {
  const codecs = textCodecs(db)
  return {
    transaction: async (body) => {
      const committed: Array<() => void> = []
      const result = await db.transaction((tx) => body(runner(tx, codecs, committed)))
      for (const then of committed) then()
      return result
    },
    exec: async (script) => {
      try {
        await db.exec(script)
      } catch (cause) {
        throw failure(cause)
      }
    },
    listen: (channel, heard) => db.listen(channel, () => heard()),
  }
}
