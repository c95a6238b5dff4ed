/**
 * How a shape begins: from its table as it is now, or from what a data directory remembers of it. A snapshot that fits one
 * page is read at once. A larger one of a table with a key is read page by page in key order, each page in a transaction that
 * also takes the changes: rows the pages reached are told in the log, the others by a later page, so none is told twice
 * or missed, and writers wait for one page at most. What cannot be paged (subqueries, no key, inheritance) is read through one cursor.
 * Runs inside the engine's transactions and changes nothing in memory but the snapshot it makes.
 */
import type { Capture } from "../capture/Capture.ts"
import { type Database, type Sql, SqlFailure, type TextRow } from "../db/Database.ts"
import type { Table } from "../db/catalog.ts"
import { quoteIdent } from "../db/identifier.ts"
import type { ShapeStore, StoredShape } from "../store/ShapeStore.ts"
import { DefinitionError } from "../where/WhereError.ts"
import type { Clock } from "./Clock.ts"
import { define, type Definition } from "./Definition.ts"
import { behind } from "./keys.ts"
import { snapshotEndMessage, snapshotRow } from "./messages.ts"
import { membershipOf, readFacts, readInBatches, type ReadRow, readValues, readVisibility } from "./read.ts"
import { rowExpressions, type ValueSets, valueSelections } from "./Shape.ts"
import { SnapshotChunks } from "./SnapshotChunks.ts"
import type { SnapshotFiles } from "./SnapshotFiles.ts"
import type { ValueSet } from "./ValueSet.ts"

/** Bytes of row text one page holds, about. A page is what writers may have to wait for. */
const pageBytes = 2 * 1024 * 1024

/** Rows one page holds at most. */
const maxPageRows = 10_000

/** What a snapshot is cut and named by. */
export interface SnapshotOptions {
  readonly clock: Clock
  readonly chunkBytes: number
  readonly files: SnapshotFiles
}

/** A begun shape. `isPaged`: the rows are still to be read, by {@link readPage}. */
export interface Begun {
  readonly handle: string
  readonly snapshot: SnapshotChunks
  readonly sets: ValueSets
  readonly isPaged: boolean
  /** The message that closes the snapshot: what was visible when it began. */
  readonly closing: string
}

/** Gives the shape a handle that never was before, and reads its rows if they fit a page or cannot be paged. */
export const beginSnapshot = async (
  sql: Sql,
  options: SnapshotOptions,
  definition: Definition,
): Promise<Begun> => {
  const handle = `${definition.hash}-${options.clock.next()}`
  const files = options.files.of(handle)
  const sets = new Map<string, ValueSet>()
  for (const selection of valueSelections(definition)) sets.set(selection, await readValues(sql, selection))
  const closing = JSON.stringify(snapshotEndMessage(await readVisibility(sql)))
  const begun = { handle, sets, closing }
  const snapshot = new SnapshotChunks(options.chunkBytes, files)
  const paged = { ...begun, snapshot: new SnapshotChunks(options.chunkBytes, files), isPaged: true }
  const toJson = rowWriter(definition, handle, sets)
  if (definition.log !== "changes_only") {
    const canPage = await isPageable(sql, definition)
    let [rows, bytes] = [0, 0]
    const isTooLarge = (): boolean => canPage && (rows > maxPageRows || bytes > pageBytes)
    try {
      await readInBatches(sql, definition, { batchBytes: pageBytes }, async (batch) => {
        const messages = batch.map(toJson)
        rows += messages.length
        for (const message of messages) bytes += message.length
        if (!isTooLarge()) await snapshot.add(messages)
        return !isTooLarge()
      })
    } catch (error) {
      await snapshot.discard()
      throw error
    }
    if (isTooLarge()) {
      await snapshot.discard()
      return paged
    }
  }
  await snapshot.complete(closing)
  return { ...begun, snapshot, isPaged: false }
}

const rowWriter = (definition: Definition, handle: string, sets: ValueSets): ((read: ReadRow) => string) => {
  const expressions = rowExpressions(definition)
  return ({ row, values }) => {
    const facts = readFacts(definition, expressions, sets, values)
    return JSON.stringify(snapshotRow(definition, row, membershipOf(definition, handle, facts), false))
  }
}

/** Children of an inherited table share no index with it, so their keys may repeat and pages would lose rows. */
const isPageable = async (sql: Sql, { normalForm, table }: Definition): Promise<boolean> => {
  if (normalForm !== null || !table.hasKey) return false
  const [row] = await sql.rows(
    `select exists (select from pg_inherits i join pg_class c on c.oid = i.inhparent
     where i.inhparent = $1::oid and c.relkind = 'r')`,
    [table.oid],
  )
  return row?.[0] === "f"
}

/** A page of a snapshot. */
export interface Page {
  readonly messages: ReadonlyArray<string>
  /** Key of the last row; `null` for an empty page. */
  readonly last: TextRow | null
  readonly isLast: boolean
}

/** Reads the page behind a key; `null` begins. */
export const readPage = async (
  sql: Sql,
  definition: Definition,
  handle: string,
  after: TextRow | null,
): Promise<Page> => {
  const { table } = definition
  const toJson = rowWriter(definition, handle, new Map())
  const messages: Array<string> = []
  let [bytes, last] = [0, null as TextRow | null]
  const isLast = await readInBatches(
    sql,
    definition,
    {
      batchBytes: pageBytes,
      restriction: after === null ? null : behind(definition, after),
      tail: ` order by ${table.keyColumns.map(quoteIdent).join(", ")}`,
    },
    (batch) => {
      for (const read of batch) {
        const message = toJson(read)
        messages.push(message)
        bytes += message.length
      }
      const row = batch.at(-1)?.row
      last = row === undefined ? last : table.keyColumns.map((name) => row.get(name) ?? null)
      return messages.length < maxPageRows && bytes < pageBytes
    },
  )
  return { messages, last, isLast }
}

/** The definition of a remembered shape, or `null` when it no longer means what it meant: its handle is void then. */
const redefine = async (sql: Sql, shape: StoredShape): Promise<Definition | null> => {
  await sql.exec("savepoint espalier_redefine")
  try {
    const definition = await define(sql, shape.request)
    await sql.exec("release savepoint espalier_redefine")
    return definition.identity === shape.identity ? definition : null
  } catch (error) {
    if (!(error instanceof DefinitionError) && !(error instanceof SqlFailure)) throw error
    await sql.exec("rollback to savepoint espalier_redefine; release savepoint espalier_redefine")
    return null
  }
}

/** What remembered shapes are judged with. */
export interface TakeUpOptions {
  readonly db: Database
  readonly store: ShapeStore
  readonly capture: Capture
  readonly files: SnapshotFiles
}

/**
 * The remembered shapes that still mean the same, have all their rows and whose tables were captured all along; forgets the
 * others.
 */
export const takeUp = async (
  { db, store, capture, files }: TakeUpOptions,
  stored: ReadonlyArray<StoredShape>,
): Promise<ReadonlyArray<readonly [StoredShape, Definition]>> => {
  const definitions = await db.transaction(async (sql) => {
    const found: Array<readonly [StoredShape, Definition | null]> = []
    for (const shape of stored) {
      const isWhole = !("files" in shape.snapshot) || (await files.has(shape.handle, shape.snapshot.files))
      found.push([shape, isWhole ? await redefine(sql, shape) : null])
    }
    return found
  })
  const tables = definitions.flatMap(([, definition]) => (definition === null ? [] : tablesOf(definition)))
  const missed = new Set(await capture.track(tables))
  const current: Array<readonly [StoredShape, Definition]> = []
  const gone: Array<string> = []
  for (const [shape, definition] of definitions) {
    const isCurrent = definition !== null && !tablesOf(definition).some((table) => missed.has(table.oid))
    if (isCurrent) current.push([shape, definition])
    else gone.push(shape.handle)
  }
  await db.transaction((sql) => store.drop(sql, gone))
  return current
}

/** Every table whose changes concern a shape. */
export const tablesOf = (definition: Definition): ReadonlyArray<Table> => [
  definition.table,
  ...definition.innerTables,
]
