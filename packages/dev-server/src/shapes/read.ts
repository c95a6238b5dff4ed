/**
 * Reads rows of a shape from its table: the initial snapshot, and the rows that moved in. Rows come with what they say
 * about each literal, so that tags are computed the same way here and for captured changes.
 */
import { setImmediate } from "node:timers/promises"
import type { Sql, Text, TextRow } from "../db/Database.ts"
import { quoteIdent } from "../db/identifier.ts"
import { parseRecord } from "../db/recordLiteral.ts"
import type { Column, Table } from "../db/catalog.ts"
import type { Definition } from "./Definition.ts"
import type { Membership, Row, Visibility } from "./messages.ts"
import { literalTruth, type PositionMoves } from "./moves.ts"
import { flatExpressions, rowExpressions, type RowExpressions, type ValueSets } from "./Shape.ts"
import { type RowFacts, tagsOf } from "./tags.ts"
import { ValueSet } from "./ValueSet.ts"

/** A row literal by column name. */
export const toRow = (table: Table, literal: string): Row => {
  const fields = parseRecord(literal)
  return new Map(table.columns.map((column, index) => [column.name, fields[index] ?? null]))
}

/** Reads facts from the values of {@link flatExpressions}, given in the same order. */
export const readFacts = (
  definition: Definition,
  expressions: RowExpressions,
  sets: ValueSets,
  values: ReadonlyArray<Text>,
): RowFacts => {
  let next = 0
  const plain = expressions.truths.map((sql) => (sql === null ? null : values[next++] === "t"))
  const left = expressions.left.map((columns) =>
    columns === null ? null : columns.map(() => values[next++] ?? null),
  )
  const literals = definition.normalForm?.literals ?? []
  const truths = plain.map((known, position) => {
    const literal = literals[position]
    if (known !== null || literal?.kind !== "subquery") return known === true
    return literalTruth(literal, sets, left[position] ?? [])
  })
  return { truths, left }
}

/** Tags and conditions of a row; `null` for shapes without subqueries. */
export const membershipOf = (definition: Definition, handle: string, facts: RowFacts): Membership | null =>
  definition.normalForm === null
    ? null
    : { tags: tagsOf(definition.normalForm, handle, facts), conditions: facts.truths }

/** A row as read, with its facts under the inner values given. */
export interface ReadRow {
  readonly row: Row
  readonly values: ReadonlyArray<Text>
}

/** Narrows and orders a read: a condition with its parameters, and SQL behind the conditions. */
export interface Restriction {
  readonly sql: string
  readonly params: ReadonlyArray<string>
}

/** The statement that reads the rows of a shape. */
const readSql = (definition: Definition, restriction: Restriction | null, tail: string): string => {
  const expressions = flatExpressions(rowExpressions(definition))
  const conditions = [
    ...(definition.where === null ? [] : [`(${definition.where})`]),
    ...(restriction === null ? [] : [`(${restriction.sql})`]),
  ]
  const where = conditions.length > 0 ? ` where ${conditions.join(" and ")}` : ""
  return `select ${['"espalier:row"::text', ...expressions].join(", ")} from ${definition.table.sqlName} as "espalier:row"${where}${tail}`
}

const toReadRow = (definition: Definition, [literal, ...values]: TextRow): ReadRow => ({
  row: toRow(definition.table, literal ?? "()"),
  values,
})

/** Reads the rows of a shape as they are now. `restriction` narrows them further; `tail` is SQL of order and limit. */
export const readRows = async (
  sql: Sql,
  definition: Definition,
  restriction: Restriction | null,
  tail = "",
): Promise<ReadonlyArray<ReadRow>> => {
  const rows = await sql.rows(readSql(definition, restriction, tail), restriction?.params ?? [])
  return rows.map((row) => toReadRow(definition, row))
}

/** Rows the first step of a batched read asks for; later ones ask for as many as the bytes so far suggest. */
const firstBatchRows = 128

/** Rows one step asks for at most. */
const maxBatchRows = 10_000

/**
 * Reads the rows of a shape in batches of about `batchBytes` of row text each, through a cursor, so that a table of any size
 * costs the memory of a batch. Ends early when `take` answers false; true is its answer when all rows were taken.
 */
export const readInBatches = async (
  sql: Sql,
  definition: Definition,
  { tail = "", restriction = null, batchBytes }: BatchOptions,
  take: (rows: ReadonlyArray<ReadRow>) => boolean | Promise<boolean>,
): Promise<boolean> => {
  const statement = readSql(definition, restriction, tail)
  await sql.rows(`declare espalier_rows no scroll cursor for ${statement}`, restriction?.params ?? [])
  let [isAll, rows, bytes, size] = [false, 0, 0, firstBatchRows]
  for (;;) {
    const batch = await sql.rows(`fetch ${size} from espalier_rows`)
    for (const row of batch) for (const value of row) bytes += value?.length ?? 0
    rows += batch.length
    isAll = batch.length < size
    if (batch.length > 0 && !(await take(batch.map((row) => toReadRow(definition, row))))) break
    if (isAll) break
    // PGlite works on this thread without a pause: answers under way must get their turn.
    await setImmediate()
    size = Math.max(1, Math.min(maxBatchRows, Math.floor((batchBytes * rows) / Math.max(1, bytes))))
  }
  await sql.exec("close espalier_rows")
  return isAll
}

/** What a batched read reads. */
export interface BatchOptions {
  readonly restriction?: Restriction | null
  readonly tail?: string
  readonly batchBytes: number
}

/** Reads the inner values of one selection. */
export const readValues = async (sql: Sql, selection: string): Promise<ValueSet> =>
  new ValueSet(await sql.rows(selection))

/** Distinct left values of a position over the whole table. */
export const readLeftValues = (
  sql: Sql,
  definition: Definition,
  columns: ReadonlyArray<string>,
): Promise<ReadonlyArray<TextRow>> =>
  sql.rows(`select distinct ${columns.join(", ")} from ${definition.table.sqlName}`)

/** What this transaction's snapshot sees. */
export const readVisibility = async (sql: Sql): Promise<Visibility> => {
  const [row] = await sql.rows(
    "select pg_snapshot_xmin(s), pg_snapshot_xmax(s), array_to_json(array(select pg_snapshot_xip(s)::text)) from pg_current_snapshot() as s",
  )
  const [xmin, xmax, xips] = row ?? []
  return {
    xmin: String(xmin),
    xmax: String(xmax),
    xip_list: JSON.parse(String(xips)) as ReadonlyArray<string>,
  }
}

/**
 * Narrows a read to rows whose left side moved in at some position, so that a grant costs its rows and not the table.
 * `null` where a moved value has a NULL in it and equality cannot find it.
 */
export const movedInRestriction = (moves: ReadonlyArray<PositionMoves>): Restriction | null => {
  const params: Array<string> = []
  const conditions: Array<string> = []
  for (const move of moves) {
    if (move.in.length === 0) continue
    const columns = move.literal.subquery.left
    const known = move.in.filter((value) => !value.includes(null))
    if (known.length < move.in.length && columns.length > 1) return null
    const names = columns.map((column) => quoteIdent(column.name))
    if (known.length < move.in.length) conditions.push(`${names[0] ?? ""} is null`)
    if (known.length === 0) continue
    params.push(JSON.stringify(known))
    const values = columns.map((column, index) => valueAt(column, index)).join(", ")
    conditions.push(
      `(${names.join(", ")}) in (select ${values} from jsonb_array_elements($${params.length}::jsonb) as "espalier:v"(v))`,
    )
  }
  return { sql: conditions.length === 0 ? "false" : conditions.join(" or "), params }
}

const valueAt = (column: Column, index: number): string => `("espalier:v".v ->> ${index})::${column.castType}`
