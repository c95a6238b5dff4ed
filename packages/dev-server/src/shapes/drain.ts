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
import { Rows } from "./Rows.ts"
import { dependenciesOf, expressionsToTell, type Shape, valueSelections, type ValueSets } from "./Shape.ts"
import { type ShapeRegistry, touchedBy } from "./ShapeRegistry.ts"
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
export const drain = async (sql: Sql, context: DrainContext, registry: ShapeRegistry): Promise<Drained> => {
  await sql.exec(outputSettingsScript)
  const captured = await context.capture.take(sql)
  const transactions = captured.transactions.map((transaction) => ({
    ...transaction,
    lsn: transaction.lsn ?? context.clock.next(),
  }))
  const voided = new Set<Shape>(captured.schemaChanged ? await outdated(sql, registry.values()) : [])
  for (const shape of captured.lost === "all" ? registry.values() : registry.touching(captured.lost)) {
    voided.add(shape)
  }
  for (const transaction of transactions) {
    for (const relation of transaction.truncated) {
      for (const shape of registry.over(relation)) voided.add(shape)
    }
  }
  const told = await tellAll(sql, registry, transactions, voided)
  for (const { shape, told: outcome } of told) {
    const bytes = outcome.entries.reduce((sum, entry) => sum + Buffer.byteLength(entry.json), shape.log.bytes)
    if (bytes > context.maxLogBytes) voided.add(shape)
  }
  const kept = told.filter(({ shape }) => !voided.has(shape))
  for (const { shape, told: outcome } of kept) {
    // A shape whose snapshot is still being made is not stored yet.
    if (shape.readTo !== null) continue
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

/** Shapes over tables that are no longer what they were. */
export const outdated = async (sql: Sql, shapes: Iterable<Shape>): Promise<ReadonlyArray<Shape>> => {
  const known = new Map<string, boolean>()
  const isCurrent = async (table: Table): Promise<boolean> => {
    const cached = known.get(table.oid)
    if (cached !== undefined) return cached
    const found = await findTableByOid(sql, table.oid)
    const current = found?.signature === table.signature && found.partitions === table.partitions
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
  registry: ShapeRegistry,
  transactions: ReadonlyArray<TellTransaction>,
  voided: Set<Shape>,
): Promise<ReadonlyArray<{ readonly shape: Shape; readonly told: Told }>> => {
  const rows = new Rows()
  const concerned = new Map(
    [...registry.concerned(transactions, rows)].filter(([shape]) => !voided.has(shape)),
  )
  const evaluations = await evaluateAll(sql, concerned)
  const touched = touchedBy(transactions)
  const values = new Map<string, ValueSet>()
  const out: Array<{ readonly shape: Shape; readonly told: Told }> = []
  for (const [shape, changes] of concerned) {
    const evaluation = evaluations.get(shape.definition.table.oid) ?? nothing
    if (expressionsToTell(shape).some((sqlText) => evaluation.failed.has(sqlText))) {
      voided.add(shape)
      continue
    }
    const known = { evaluation, rows }
    if (shape.definition.normalForm === null) {
      out.push({ shape, told: tellPlain(shape, changes, known) })
      continue
    }
    const sets = await currentSets(sql, shape, touched, values)
    out.push({ shape, told: await tellSubqueries(sql, shape, changes, known, sets) })
  }
  return out
}

const nothing: Evaluation = { value: () => null, failed: new Set() }

/** Evaluates, table by table, what the concerned shapes ask of the rows that concern them. */
const evaluateAll = async (
  sql: Sql,
  concerned: ReadonlyMap<Shape, ReadonlyArray<TellTransaction>>,
): Promise<ReadonlyMap<string, Evaluation>> => {
  const evaluations = new Map<string, Evaluation>()
  for (const [oid, group] of Map.groupBy(concerned, ([shape]) => shape.definition.table.oid)) {
    const [first] = group
    const expressions = new Set<string>()
    const literals = new Set<string>()
    for (const [shape, transactions] of group) {
      const wanted = expressionsToTell(shape)
      if (wanted.length === 0) continue
      for (const expression of wanted) expressions.add(expression)
      for (const { relation, oldRow, newRow } of transactions.flatMap(({ changes }) => changes)) {
        if (relation !== oid) continue
        if (oldRow !== null) literals.add(oldRow)
        if (newRow !== null) literals.add(newRow)
      }
    }
    if (first === undefined || literals.size === 0) continue
    evaluations.set(oid, await evaluate(sql, first[0].definition.table, literals, expressions))
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
