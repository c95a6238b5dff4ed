/**
 * Applies folded changes to the readable rows of an instance: deletes, upserts and partial updates, each set at once, with
 * provenance, tags and version order against what other instances wrote. Called by `commitShare.ts` for `append`.
 */
import { type Patch, type Put, type RowChange, unknownRow } from "../store/fold.ts"
import type { RowVersion } from "../store/version.ts"
import { type Applying, change, changeColumns, pushRows, storedVersion } from "./applying.ts"
import { bulkRows } from "./bulkShare.ts"
import { type Contested, contested, type ContestedRow, isOpen, verdictOn } from "./contest.ts"
import { copyRows } from "./copyShare.ts"
import { column, keyColumns, tagColumns, valueColumns } from "./inputs.ts"
import { byColumns, overRows, type StoredVersion, tagCells, valueCells, versionCells } from "./session.ts"
import { fieldsOf } from "./sql.ts"
import { stageFields, stageRows } from "./stageStatements.ts"
import {
  cellsOf,
  dropRows,
  holdFields,
  holdRows,
  keepAside,
  missingRows,
  patchFields,
  patchRow,
  patchRows,
  putFields,
  putRows,
  retagFields,
  retagRows,
  reviseFields,
  reviseRows,
} from "./statements.ts"
import type { Column } from "./wire/arrays.ts"

/** Applies changes to the readable rows. @throws ShareRejected for an update of a row that is not held */
export const appendChanges = async (applying: Applying, changes: Iterable<RowChange>): Promise<void> => {
  const drops: Array<RowChange> = []
  const puts: Array<Put> = []
  const patches: Array<Patch> = []
  for (const entry of changes) {
    if (entry._tag === "Drop") drops.push(entry)
    else if (entry._tag === "Put") puts.push(entry)
    else patches.push(entry)
  }
  const { plan } = applying
  if (drops.length > 0) {
    await change(
      applying,
      dropRows(plan, applying.instance),
      fieldsOf(plan.keys),
      drops.map(({ key }) => key),
      { held: -1 },
    )
  }
  // Rows of a first snapshot are new, as a rule: then there is nobody to argue with.
  const copied =
    (await copyRows(applying, puts)) || (applying.instance.shared && (await bulkRows(applying, puts)))
  const written = copied ? [] : puts
  // An unshared row that a patch writes is found missing by the patch itself.
  const guarded = !applying.careful && !applying.instance.shared && patches.every(isWritten)
  if (!guarded) await requireHeld(applying, plan.held, patches)
  const cells = await contestedCells(applying, [...written, ...patches.filter(isWritten)])
  await appendPuts(applying, written, cells)
  await appendPatches(applying, patches, cells, guarded)
}

const isWritten = ({ version }: Patch): boolean => version !== null

/** Refuses updates of rows that the instance does not hold in `table` (provenance or stage). */
export const requireHeld = async (
  applying: Applying,
  table: string,
  patches: ReadonlyArray<Patch>,
): Promise<void> => {
  const { instance, plan, tx } = applying
  const keys = patches.map(({ key }) => key)
  await overRows<{ readonly ord: number }>(
    tx,
    missingRows(plan, table),
    fieldsOf(plan.keys),
    keys,
    [instance.id],
    (row, first) => {
      throw unknownRow(plan.def, keys[first + row.ord - 1] ?? [])
    },
  )
}

const contestedCells = async (
  applying: Applying,
  rows: ReadonlyArray<Put | Patch>,
): Promise<ReadonlyMap<Put | Patch, Contested>> => {
  const cells = new Map<Put | Patch, Contested>()
  const { instance, plan, tx } = applying
  if (!instance.shared) return cells
  const keys = rows.map(({ key }) => key)
  await overRows<ContestedRow & { readonly ord: number }>(
    tx,
    cellsOf(plan),
    fieldsOf(plan.keys),
    keys,
    [instance.id],
    (row, first) => {
      const entry = rows[first + row.ord - 1]
      if (entry !== undefined) cells.set(entry, contested(cells.get(entry), row, instance.id))
    },
  )
  return cells
}

const appendPuts = async (
  applying: Applying,
  puts: ReadonlyArray<Put>,
  cells: ReadonlyMap<Put | Patch, Contested>,
): Promise<void> => {
  const { plan } = applying
  const winning: Array<Put> = []
  const losing: Array<Put> = []
  const waiting: Array<Put> = []
  for (const put of puts) {
    const verdict = verdictOn(applying, put.version, cells.get(put))
    if (verdict === "write") winning.push(put)
    else losing.push(put)
    if (verdict === "wait") waiting.push(put)
  }
  await putAside(applying, winning, cells)
  const alone = winning.filter((put) => !cells.has(put))
  const copied = cells.size > 0 && (await copyRows(applying, alone, { checked: true }))
  const written = copied ? winning.filter((put) => cells.has(put)) : winning
  for (const { columns, rows } of byColumns(plan, written, ({ values }) => values)) {
    const inputs = [
      ...valueColumns(columns, rows),
      ...(await ownVersions(applying, rows)),
      ...tagColumns(rows),
    ]
    await changeColumns(applying, putRows(plan, columns), putFields(columns), inputs, rows.length, {
      held: 1,
    })
  }
  const shared = winning.filter((put) => cells.get(put)?.shared === true)
  const revised = []
  for (const { key, version } of shared) revised.push([...key, ...(await ownVersion(applying, version))])
  await change(applying, reviseRows(plan), reviseFields(plan), revised, { scalars: [] })
  const heldRows = losing.flatMap((put) => {
    const cell = cells.get(put)
    return cell === undefined
      ? []
      : [[...put.key, ...versionCells(cell.stored), String(cell.writer), ...tagCells(put.tags)]]
  })
  await change(applying, holdRows(plan), holdFields(plan), heldRows, { held: 1 })
  await stageWaiting(applying, waiting)
}

/** Snapshot values of rows that others wrote wait in the stage for the `snapshot-end`. */
const stageWaiting = async (applying: Applying, waiting: ReadonlyArray<Put>): Promise<void> => {
  const { plan } = applying
  // Even when every row of the chunk waits, the instance must know that a snapshot is open.
  for (const { version } of waiting.slice(0, 1)) await storedVersion(applying, version)
  for (const { columns, rows } of byColumns(plan, waiting, ({ values }) => values)) {
    const cellRows = rows.map(({ values }) => [
      ...valueCells(columns, values),
      null,
      null,
      null,
      null,
      null,
      null,
    ])
    await change(applying, stageRows(plan, columns), stageFields(columns), cellRows)
  }
}

const appendPatches = async (
  applying: Applying,
  patches: ReadonlyArray<Patch>,
  cells: ReadonlyMap<Put | Patch, Contested>,
  guarded: boolean,
): Promise<void> => {
  const { plan } = applying
  const winning = patches.flatMap((patch) => {
    const { version } = patch
    const wins = version !== null && verdictOn(applying, version, cells.get(patch)) === "write"
    return wins ? [{ ...patch, version }] : []
  })
  await putAside(applying, winning, cells)
  for (const { columns, rows } of byColumns(plan, winning, ({ values }) => values)) {
    const inputs = [
      ...keyColumns(plan.keys.length, rows),
      ...valueColumns(columns, rows),
      ...(await ownVersions(applying, rows)),
    ]
    if (guarded && rows.length <= fewRows && columns.length > 0) {
      pushRows(applying, patchRow(plan, columns), inputs, rows.length)
      continue
    }
    const sql = patchRows(plan, columns, guarded)
    const scalars = guarded ? [applying.instance.id] : []
    await changeColumns(applying, sql, patchFields(plan, columns), inputs, rows.length, { scalars })
  }
  await retag(applying, plan.held, patches)
}

/** Up to here a statement per row, in the same message, beats one over arrays. */
export const fewRows = 4

/** Replaces the tags of patched rows in `table` (provenance or stage), where the patch brings some. */
export const retag = async (
  applying: Applying,
  table: string,
  patches: ReadonlyArray<Patch>,
): Promise<void> => {
  const { plan } = applying
  const rows = patches.filter(({ tags }) => tags !== null).map(({ key, tags }) => [...key, ...tagCells(tags)])
  await change(applying, retagRows(plan, table), retagFields(plan), rows)
}

const putAside = async (
  applying: Applying,
  rows: ReadonlyArray<Put | Patch>,
  cells: ReadonlyMap<Put | Patch, Contested>,
): Promise<void> => {
  const { instance, plan } = applying
  const open = rows.filter((row) => isOpen(cells.get(row), instance.id)).map(({ key }) => key)
  await change(applying, keepAside(plan), fieldsOf(plan.keys), open, { scalars: [] })
}

const ownVersion = async (applying: Applying, version: RowVersion): Promise<ReadonlyArray<string | null>> => [
  ...versionCells(await storedVersion(applying, version)),
  String(applying.instance.id),
]

/** Versions and writer of rows as columns; most shares have one version for all of their rows. */
const ownVersions = async (
  applying: Applying,
  rows: ReadonlyArray<{ readonly version: RowVersion }>,
): Promise<ReadonlyArray<Column>> => {
  const stored: Array<StoredVersion> = []
  const [head] = rows
  if (head === undefined) return []
  let last = { version: head.version, stored: await storedVersion(applying, head.version) }
  for (const { version } of rows) {
    if (last.version !== version) last = { version, stored: await storedVersion(applying, version) }
    stored.push(last.stored)
  }
  return [
    column(stored, ({ lsn }) => lsn),
    column(stored, ({ op }) => op),
    column(stored, ({ txid }) => txid),
    column(stored, ({ snapshot }) => (snapshot === null ? null : String(snapshot))),
    { constant: String(applying.instance.id) },
  ]
}
