/**
 * Reads the rows of a node again at the price of what changed: Postgres marks every row version with the transaction
 * that wrote it (`xmin`), so after one full read it is enough to ask for the rows written since, and to count. Exists
 * because a change of one row among ten thousand must not move ten thousand rows to the page.
 *
 * Why the result is exact: rows that qualify now are among those held and those written since. If as many qualify as
 * both together, none has left; if fewer, one has, and everything is read again. This holds while membership depends on
 * the table's own rows only, so a commit that touches another table the condition reads means a full read, and so does
 * a notice that names every table (a change of leader: notices may have been missed, transaction numbers may restart).
 */
import { quoteIdent } from "@espalier/engine/compile"
import type { RowsParts } from "./rowsQuery.ts"
import { equal, rowIdentity } from "./share.ts"

/** Reads on a table with fewer rows are cheap as they are. */
export const incrementalFromRows = 256

/** The number the next transaction will have. Taken before a full read, so that nothing falls between the two. */
export const markerSql = "select pg_snapshot_xmax(pg_current_snapshot())::text as marker"

/** Rows held of one question, by identity. */
export interface HeldRows {
  readonly rows: ReadonlyArray<object>
  /** Everything written by transactions before this number is in `rows`. */
  readonly marker: string
  /** Row identity → index in `rows`. */
  readonly places: ReadonlyMap<unknown, number>
}

export const holdRows = (
  rows: ReadonlyArray<object>,
  marker: string,
  key: ReadonlyArray<string>,
): HeldRows => {
  const identity = rowIdentity(key)
  return { rows, marker, places: new Map(rows.map((row, index) => [identity(row), index])) }
}

/** What a delta query adds to a row. Names no column of a table is likely to have, and stripped before use. */
const extra = { total: "~total", marker: "~marker", present: "~present", place: "~place" } as const

type Raw = Record<string, unknown>

const columnsOf = (parts: RowsParts): string => parts.columns.map(quoteIdent).join(", ")
const writtenSince = (parts: RowsParts): string =>
  `xmin::text::int8 >= $${parts.params.length + 1}::text::int8`
const facts = (parts: RowsParts): string =>
  `select count(*)::int as "${extra.total}", pg_snapshot_xmax(pg_current_snapshot())::text as "${extra.marker}" ` +
  `from ${parts.from}${parts.where}`

/** The rows written since a marker; one line of `nothing` where there are none, because the count is wanted anyway. */
export const deltaSql = (parts: RowsParts): string => {
  const since = parts.where === "" ? " where " : `${parts.where} and `
  return (
    `with facts as (${facts(parts)}) select facts.*, changed.* from facts left join (select true as "${extra.present}", ` +
    `${columnsOf(parts)} from ${parts.from}${since}${writtenSince(parts)}) changed on true`
  )
}

/** The same with each row's place in the order, for rows that are new or have moved. Sorts, so it costs more. */
export const placedSql = (parts: RowsParts): string =>
  `with facts as (${facts(parts)}) select facts.*, changed.* from facts left join (select * from (select true as "${extra.present}", ` +
  `${columnsOf(parts)}, row_number() over (order by ${parts.order})::int as "${extra.place}", xmin from ${parts.from}${parts.where}) placed ` +
  `where ${writtenSince(parts)}) changed on true`

interface Delta {
  readonly total: number
  readonly marker: string
  readonly changed: ReadonlyArray<{ readonly row: object; readonly place: number }>
}

const readDelta = (parts: RowsParts, lines: ReadonlyArray<Raw>): Delta | null => {
  const first = lines[0]
  if (first === undefined) return null
  const changed = lines
    .filter((line) => line[extra.present] === true)
    .map((line) => ({
      row: Object.fromEntries(parts.columns.map((name) => [name, line[name]])),
      place: Number(line[extra.place] ?? 0) - 1,
    }))
  return { total: Number(first[extra.total]), marker: String(first[extra.marker]), changed }
}

const fits = (parts: RowsParts, held: HeldRows, delta: Delta, news: number): boolean =>
  delta.total === held.rows.length + news && (parts.limit === null || delta.total <= parts.limit)

/** Rows whose order columns are as before keep their places; null when one of them is new or has moved. */
const inPlace = (parts: RowsParts, held: HeldRows, delta: Delta): ReadonlyArray<object> | null => {
  const identity = rowIdentity(parts.key)
  const rows = [...held.rows]
  for (const { row } of delta.changed) {
    const index = held.places.get(identity(row))
    const former = index === undefined ? undefined : (held.rows[index] as Raw)
    if (index === undefined || former === undefined) return null
    if (parts.orderColumns.some((name) => !equal(former[name], (row as Raw)[name]))) return null
    rows[index] = equal(former, row) ? former : row
  }
  return rows
}

const moved = (parts: RowsParts, held: HeldRows, delta: Delta): ReadonlyArray<object> => {
  const identity = rowIdentity(parts.key)
  const out = new Set(delta.changed.map(({ row }) => held.places.get(identity(row))))
  const placed = delta.changed.toSorted((a, b) => a.place - b.place)
  const rows: Array<object> = []
  let next = 0
  // Both lists are in the final order, and nobody else writes between them: merge by place.
  held.rows.forEach((row, index) => {
    if (out.has(index)) return
    for (; placed[next]?.place === rows.length; next += 1) rows.push((placed[next] as { row: object }).row)
    rows.push(row)
  })
  return [...rows, ...placed.slice(next).map(({ row }) => row)]
}

const newsIn = (parts: RowsParts, held: HeldRows, delta: Delta): number => {
  const identity = rowIdentity(parts.key)
  return delta.changed.filter(({ row }) => !held.places.has(identity(row))).length
}

export type Query = (sql: string, params: ReadonlyArray<unknown>) => Promise<ReadonlyArray<Raw>>

/** The rows now, from those held and what was written since; null when only a full read can tell. */
export const rowsSince = async (query: Query, parts: RowsParts, held: HeldRows): Promise<HeldRows | null> => {
  const params = [...parts.params, held.marker]
  const delta = readDelta(parts, await query(deltaSql(parts), params))
  if (delta === null || !fits(parts, held, delta, newsIn(parts, held, delta))) return null
  const same = inPlace(parts, held, delta)
  if (same !== null) return { rows: same, marker: delta.marker, places: held.places }
  const placed = readDelta(parts, await query(placedSql(parts), params))
  if (placed === null || !fits(parts, held, placed, newsIn(parts, held, placed))) return null
  return holdRows(moved(parts, held, placed), placed.marker, parts.key)
}
