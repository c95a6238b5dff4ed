/**
 * How a shape begins: from its table as it is now, or from what a data directory remembers of it. Runs inside the engine's
 * transactions and changes nothing in memory.
 */
import type { Capture } from "../capture/Capture.ts"
import { type Database, type Sql, SqlFailure } from "../db/Database.ts"
import type { Table } from "../db/catalog.ts"
import type { ShapeStore, StoredShape } from "../store/ShapeStore.ts"
import { DefinitionError } from "../where/WhereError.ts"
import type { Clock } from "./Clock.ts"
import { define, type Definition, type DefinitionRequest } from "./Definition.ts"
import { snapshotEndMessage, snapshotRow } from "./messages.ts"
import { membershipOf, readFacts, readRows, readValues, readVisibility } from "./read.ts"
import { rowExpressions, valueSelections } from "./Shape.ts"
import { cutSnapshot } from "./ShapeLog.ts"
import type { ValueSet } from "./ValueSet.ts"

/** What a snapshot is cut and named by. */
export interface SnapshotOptions {
  readonly clock: Clock
  readonly chunkBytes: number
}

/** Reads inner values and rows, and gives the shape a handle that never was before. */
export const takeSnapshot = async (
  sql: Sql,
  options: SnapshotOptions,
  request: DefinitionRequest,
  definition: Definition,
): Promise<StoredShape> => {
  const handle = `${definition.hash}-${options.clock.next()}`
  const sets = new Map<string, ValueSet>()
  for (const selection of valueSelections(definition)) sets.set(selection, await readValues(sql, selection))
  const expressions = rowExpressions(definition)
  const rows = definition.log === "changes_only" ? [] : await readRows(sql, definition, null)
  const messages = rows.map(({ row, values }) => {
    const facts = readFacts(definition, expressions, sets, values)
    return JSON.stringify(snapshotRow(definition, row, membershipOf(definition, handle, facts), false))
  })
  const closing = JSON.stringify(snapshotEndMessage(await readVisibility(sql)))
  const snapshot = cutSnapshot(messages, closing, options.chunkBytes)
  return { handle, request, identity: definition.identity, snapshot, entries: [], sets }
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
}

/** The remembered shapes that still mean the same and whose tables were captured all along; forgets the others. */
export const takeUp = async (
  { db, store, capture }: TakeUpOptions,
  stored: ReadonlyArray<StoredShape>,
): Promise<ReadonlyArray<readonly [StoredShape, Definition]>> => {
  const definitions = await db.transaction(async (sql) => {
    const found: Array<readonly [StoredShape, Definition | null]> = []
    for (const shape of stored) found.push([shape, await redefine(sql, shape)])
    return found
  })
  const tables = definitions.flatMap(([, definition]) => (definition === null ? [] : tablesOf(definition)))
  const missed = new Set(await capture.track(tables))
  const current: Array<readonly [StoredShape, Definition]> = []
  const gone: Array<string> = []
  for (const [shape, definition] of definitions) {
    const isWhole = definition !== null && !tablesOf(definition).some((table) => missed.has(table.oid))
    if (isWhole) current.push([shape, definition])
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
