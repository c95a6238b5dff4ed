/**
 * One round of taking what was committed and working out what every shape is told, inside one transaction. Nothing in
 * memory changes here: the engine applies the outcome after the commit. Exists apart from the engine so that taking changes
 * and creating a shape share one transaction, which is what makes snapshot and log meet exactly once.
 */
import type { Capture } from "../capture/Capture.ts"
import { outputSettingsScript } from "../capture/TriggerCapture.ts"
import type { Sql } from "../db/Database.ts"
import { findTableByOid, type Table } from "../db/catalog.ts"
import type { ShapeStore } from "../store/ShapeStore.ts"
import type { Clock } from "./Clock.ts"
import { evaluate, type Evaluation } from "./evaluate.ts"
import { readValues } from "./read.ts"
import {
  dependenciesOf,
  flatExpressions,
  rowExpressions,
  type Shape,
  valueSelections,
  type ValueSets,
} from "./Shape.ts"
import { tellPlain, tellSubqueries, type Told, type TellTransaction } from "./tell.ts"
import type { ValueSet } from "./ValueSet.ts"

/** What a round came to. */
export interface Drained {
  readonly told: ReadonlyArray<{ readonly shape: Shape; readonly told: Told }>
  /** Shapes whose handle is void from here on. */
  readonly voided: ReadonlyArray<Shape>
  /** LSN of the newest transaction taken; `null` when there was none. */
  readonly lsn: number | null
  readonly schemaChanged: boolean
  /** Number of changes taken. */
  readonly taken: number
}

/** What a round works with. */
export interface DrainContext {
  readonly capture: Capture
  readonly store: ShapeStore
  readonly clock: Clock
  readonly maxLogBytes: number
}

/** Takes and tells. Runs inside the caller's transaction. */
export const drain = async (
  sql: Sql,
  context: DrainContext,
  shapes: ReadonlyArray<Shape>,
): Promise<Drained> => {
  await sql.exec(outputSettingsScript)
  const captured = await context.capture.take(sql)
  const transactions = captured.transactions.map((transaction) => ({
    ...transaction,
    lsn: transaction.lsn ?? context.clock.next(),
  }))
  const voided = new Set<Shape>(captured.schemaChanged ? await outdated(sql, shapes) : [])
  const lost = captured.lost === "all" ? null : new Set(captured.lost)
  for (const shape of shapes) if (lost === null || isConcerned(shape, lost)) voided.add(shape)
  const emptied = new Set(transactions.flatMap((transaction) => transaction.truncated))
  for (const shape of shapes) if (emptied.has(shape.definition.table.oid)) voided.add(shape)
  const touched = new Set(
    transactions.flatMap((transaction) => [
      ...transaction.changes.map((change) => change.relation),
      ...transaction.truncated,
    ]),
  )
  const concerned = shapes.filter((shape) => !voided.has(shape) && isConcerned(shape, touched))
  const told = await tellAll(sql, concerned, transactions, touched, voided)
  for (const { shape, told: outcome } of told) {
    const bytes = outcome.entries.reduce((sum, entry) => sum + Buffer.byteLength(entry.json), shape.log.bytes)
    if (bytes > context.maxLogBytes) voided.add(shape)
  }
  const kept = told.filter(({ shape }) => !voided.has(shape))
  for (const { shape, told: outcome } of kept) {
    if (outcome.entries.length > 0) await context.store.append(sql, shape.handle, outcome.entries)
    if (outcome.sets !== shape.sets) await context.store.setValues(sql, shape.handle, outcome.sets)
  }
  await context.store.drop(
    sql,
    [...voided].map((shape) => shape.handle),
  )
  await context.store.setLastNumber(sql, context.clock.last())
  return {
    told: kept,
    voided: [...voided],
    lsn: transactions.at(-1)?.lsn ?? null,
    schemaChanged: captured.schemaChanged,
    taken: transactions.reduce((sum, transaction) => sum + transaction.changes.length, 0),
  }
}

const isConcerned = (shape: Shape, touched: ReadonlySet<string>): boolean => {
  if (touched.has(shape.definition.table.oid)) return true
  for (const relation of dependenciesOf(shape.definition)) if (touched.has(relation)) return true
  return false
}

/** Shapes over tables that are no longer what they were. */
export const outdated = async (sql: Sql, shapes: ReadonlyArray<Shape>): Promise<ReadonlyArray<Shape>> => {
  const known = new Map<string, boolean>()
  const isCurrent = async (table: Table): Promise<boolean> => {
    const cached = known.get(table.oid)
    if (cached !== undefined) return cached
    const current = (await findTableByOid(sql, table.oid))?.signature === table.signature
    known.set(table.oid, current)
    return current
  }
  const out: Array<Shape> = []
  for (const shape of shapes) {
    for (const table of [shape.definition.table, ...shape.definition.innerTables]) {
      if (await isCurrent(table)) continue
      out.push(shape)
      break
    }
  }
  return out
}

const tellAll = async (
  sql: Sql,
  shapes: ReadonlyArray<Shape>,
  transactions: ReadonlyArray<TellTransaction>,
  touched: ReadonlySet<string>,
  voided: Set<Shape>,
): Promise<ReadonlyArray<{ readonly shape: Shape; readonly told: Told }>> => {
  const evaluations = await evaluateAll(sql, shapes, transactions)
  const values = new Map<string, ValueSet>()
  const out: Array<{ readonly shape: Shape; readonly told: Told }> = []
  for (const shape of shapes) {
    const evaluation = evaluations.get(shape.definition.table.oid) ?? nothing
    if (flatExpressions(rowExpressions(shape.definition)).some((sqlText) => evaluation.failed.has(sqlText))) {
      voided.add(shape)
      continue
    }
    if (shape.definition.normalForm === null) {
      out.push({ shape, told: tellPlain(shape, transactions, evaluation) })
      continue
    }
    const sets = await currentSets(sql, shape, touched, values)
    out.push({ shape, told: await tellSubqueries(sql, shape, transactions, evaluation, sets) })
  }
  return out
}

const nothing: Evaluation = { value: () => null, failed: new Set() }

const evaluateAll = async (
  sql: Sql,
  shapes: ReadonlyArray<Shape>,
  transactions: ReadonlyArray<TellTransaction>,
): Promise<ReadonlyMap<string, Evaluation>> => {
  const rows = new Map<string, Set<string>>()
  for (const { relation, oldRow, newRow } of transactions.flatMap((transaction) => transaction.changes)) {
    const literals = rows.get(relation) ?? new Set<string>()
    rows.set(relation, literals)
    if (oldRow !== null) literals.add(oldRow)
    if (newRow !== null) literals.add(newRow)
  }
  const byTable = Map.groupBy(shapes, (shape) => shape.definition.table.oid)
  const evaluations = new Map<string, Evaluation>()
  for (const [oid, group] of byTable) {
    const [first] = group
    const literals = rows.get(oid)
    if (first === undefined || literals === undefined) continue
    const expressions = group.flatMap((shape) => flatExpressions(rowExpressions(shape.definition)))
    evaluations.set(oid, await evaluate(sql, first.definition.table, literals, expressions))
  }
  return evaluations
}

/** The inner values of a shape now; the very same map when none of its tables was touched. */
const currentSets = async (
  sql: Sql,
  shape: Shape,
  touched: ReadonlySet<string>,
  values: Map<string, ValueSet>,
): Promise<ValueSets> => {
  const dependencies = dependenciesOf(shape.definition)
  if (![...dependencies].some((relation) => touched.has(relation))) return shape.sets
  const sets = new Map<string, ValueSet>()
  for (const selection of valueSelections(shape.definition)) {
    const known = values.get(selection) ?? (await readValues(sql, selection))
    values.set(selection, known)
    sets.set(selection, known)
  }
  return sets
}
