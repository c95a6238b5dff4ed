/**
 * What one commit works with: the open transaction, the plans of the tables, counters, and small ways to run a statement
 * over arrays. Exists so that the steps of a commit share no module state. Called by every file of this adapter that runs SQL.
 */
import type { TableChange } from "../../ports/LocalStore.ts"
import { refuseUnstorable } from "../store/rowKey.ts"
import type { TagState } from "../store/tags.ts"
import type { RowVersion, Visibility } from "../store/version.ts"
import type { WaitingCopy } from "./copyPacked.ts"
import type { InstanceRow } from "./instanceRows.ts"
import type { RawSession } from "./RawSession.ts"
import type { Field, TablePlan } from "./sql.ts"
import type { Counts } from "./statements.ts"
import type { TableState } from "./tableStates.ts"
import type { Cell, Column } from "./wire/arrays.ts"

/** Rows per statement: bounds the memory of one statement, and nothing else. */
const rowsPerStatement = 5_000

/** An open transaction. */
export interface Tx {
  readonly query: <Row>(sql: string, params?: Array<unknown>) => Promise<{ readonly rows: Array<Row> }>
  readonly exec: (sql: string) => Promise<unknown>
  /** The raw protocol, where the database offers it: statements can then be pushed and sent together. */
  readonly raw: RawSession | null
  /** Instances as they are stored, by key; this adapter is their only writer. Emptied when a transaction fails. */
  readonly known: Map<string, InstanceRow>
  /** How each table keeps its provenance, by local name; emptied with `known`. */
  readonly tables: Map<string, TableState>
  /** Instances whose first snapshot met rows that were there: not tried by COPY again. */
  readonly overlapping: Set<number>
  /** Rows that wait for their COPY; see `copyPacked.ts`. */
  readonly copies: Array<WaitingCopy>
  /** Fewer rows of a first snapshot are sent as arrays, not by COPY. */
  readonly fewestCopied: number
}

/** Forgets what was read of instances and tables: what was written since may not stay. */
export const forget = (tx: Pick<Tx, "known" | "tables">): void => {
  tx.known.clear()
  tx.tables.clear()
}

/** Plans by local table name. */
export type Plans = ReadonlyMap<string, TablePlan>

/** A version as it is stored: a log entry's rank, or the snapshot that read the row; all null when it has no rank. */
export interface StoredVersion {
  readonly lsn: string | null
  readonly op: string | null
  readonly txid: string | null
  readonly snapshot: number | null
}

/** A stored version as a query returns it, with what its snapshot saw. */
export interface VersionRow extends StoredVersion {
  readonly state: string | null
  readonly xmin: string | null
  readonly xmax: string | null
  readonly xip_list: ReadonlyArray<string> | null
}

/** The rank of a stored version. */
export const versionOfRow = (row: VersionRow): RowVersion => {
  if (row.lsn === null) return { _tag: "Snapshot", visibility: visibilityOfRow(row) }
  return {
    _tag: "Log",
    lsn: BigInt(row.lsn),
    op: Number(row.op ?? 0),
    txid: row.txid === null ? null : BigInt(row.txid),
  }
}

const visibilityOfRow = (row: VersionRow): Visibility => {
  if (row.state === "pending") return "pending"
  if (row.xmin === null || row.xmax === null) return "unknown"
  return { xmin: row.xmin, xmax: row.xmax, xip_list: row.xip_list ?? [] }
}

/** The arrays of a version, in the order of `versionFields`; the writer last. */
export const versionCells = (version: StoredVersion): ReadonlyArray<Cell> => [
  version.lsn,
  version.op,
  version.txid,
  version.snapshot === null ? null : String(version.snapshot),
]

/** The arrays of a tag state, as Postgres array literals. */
export const tagCells = (tags: TagState | null): ReadonlyArray<Cell> =>
  tags === null
    ? [null, null]
    : [
        `{${tags.tags.map((tag) => `"${tag.replace(/["\\]/g, "\\$&")}"`).join(",")}}`,
        `{${tags.active.map((held) => (held ? "t" : "f")).join(",")}}`,
      ]

/** Rows changed so far, per local table. */
export type Changes = Map<string, { inserted: number; updated: number; deleted: number }>

/** Adds what a statement did to the counts of a table. */
export const addCounts = (changes: Changes, table: string, counts: Counts): void => {
  const { deleted = 0, inserted = 0, updated = 0 } = counts
  if (inserted + updated + deleted === 0) return
  const sum = changes.get(table) ?? { inserted: 0, updated: 0, deleted: 0 }
  changes.set(table, {
    inserted: sum.inserted + inserted,
    updated: sum.updated + updated,
    deleted: sum.deleted + deleted,
  })
}

/** The counts as the port reports them. */
export const changesOf = (changes: Changes): Readonly<Record<string, TableChange>> =>
  Object.fromEntries(changes)

/** Runs a query and returns its rows. */
export const select = async <Row>(
  tx: Tx,
  sql: string,
  params: ReadonlyArray<unknown> = [],
): Promise<ReadonlyArray<Row>> => (await tx.query<Row>(sql, [...params])).rows

/** Runs a statement whose rows nobody waits for: with the next message, where there are messages. */
export const later = async (tx: Tx, sql: string, params: ReadonlyArray<unknown>): Promise<void> => {
  if (tx.raw === null) await tx.query(sql, [...params])
  else tx.raw.push(sql, params)
}

/** Columns of rows of cells. */
export const columnsOf = (width: number, rows: ReadonlyArray<ReadonlyArray<Cell>>): ReadonlyArray<Column> =>
  Array.from({ length: width }, (_, column) => ({ at: (row) => rows[row]?.[column] ?? null }))

/**
 * Runs a statement over columns of `count` rows, in slices, with trailing scalar parameters; hands each result row to `each`. With
 * `wait` false the last slices are only pushed, and `each` is called when they are sent.
 */
export const overColumns = async <Row>(
  tx: Tx,
  sql: string,
  fields: ReadonlyArray<Field>,
  columns: ReadonlyArray<Column>,
  count: number,
  scalars: ReadonlyArray<unknown>,
  each: (row: Row, first: number) => void,
  wait = true,
): Promise<void> => {
  for (let first = 0; first < count; first += rowsPerStatement) {
    const size = Math.min(rowsPerStatement, count - first)
    const take = (rows: ReadonlyArray<Row>): void => rows.forEach((row) => each(row, first))
    if (tx.raw === null) {
      const arrays = columns.map((column, index) =>
        textsOf(column, first, size, fields[index]?.name ?? fields[index]?.as ?? ""),
      )
      take(await select<Row>(tx, sql, [...arrays, ...scalars]))
      continue
    }
    tx.raw.pushColumns<Row>(sql, fields, columns, first, size, scalars, take)
    if (wait || tx.raw.full) await tx.raw.flush()
  }
}

const textsOf = (column: Column, first: number, count: number, name: string): ReadonlyArray<Cell> =>
  Array.from({ length: count }, (_, index) => {
    const text = "constant" in column ? column.constant : column.at(first + index)
    if (text !== null) refuseUnstorable(name, text)
    return text
  })

/** Runs a statement over rows of cells and waits for it. */
export const overRows = <Row>(
  tx: Tx,
  sql: string,
  fields: ReadonlyArray<Field>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  scalars: ReadonlyArray<unknown>,
  each: (row: Row, first: number) => void,
): Promise<void> => overColumns(tx, sql, fields, columnsOf(fields.length, rows), rows.length, scalars, each)

/** Cells of a row's values in column order. @throws ShareRejected for text that Postgres cannot hold */
export const valueCells = (
  columns: ReadonlyArray<{ readonly name: string }>,
  values: Readonly<Record<string, string | null>>,
): ReadonlyArray<Cell> =>
  columns.map(({ name }) => {
    const text = values[name] ?? null
    if (text !== null) refuseUnstorable(name, text)
    return text
  })

/** Groups rows by the set of columns they carry, so that each group is one statement. */
export const byColumns = <Row>(
  plan: TablePlan,
  rows: Iterable<Row>,
  valuesOf: (row: Row) => Readonly<Record<string, string | null>>,
): ReadonlyArray<{ readonly columns: TablePlan["columns"]; readonly rows: ReadonlyArray<Row> }> => {
  const groups = new Map<string, { columns: TablePlan["columns"]; rows: Array<Row> }>()
  for (const row of rows) {
    const values = valuesOf(row)
    const whole = plan.columns.every(({ name }) => Object.hasOwn(values, name))
    const columns = whole ? plan.columns : plan.columns.filter(({ name }) => Object.hasOwn(values, name))
    const signature = whole ? "" : columns.map(({ input }) => input).join(" ")
    const group = groups.get(signature)
    if (group === undefined) groups.set(signature, { columns, rows: [row] })
    else group.rows.push(row)
  }
  return [...groups.values()]
}
