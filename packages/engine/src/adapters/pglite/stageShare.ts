/**
 * Staged rows: a refetch written beside the readable rows and swapped in at its up-to-date, and snapshot values that wait for
 * their `snapshot-end` because another instance wrote the row. Called by `commitShare.ts`.
 */
import type { Patch, Put, RowChange } from "../store/fold.ts"
import { continuesStage } from "../store/shareMode.ts"
import type { RowVersion } from "../store/version.ts"
import { requireHeld, retag } from "./appendShare.ts"
import { type Contested, contested, type ContestedRow, isOpen, verdictOn } from "./contest.ts"
import { type Applying, change, endPending, storedVersion } from "./applying.ts"
import {
  addCounts,
  byColumns,
  select,
  tagCells,
  valueCells,
  versionCells,
  versionOfRow,
  type VersionRow,
} from "./session.ts"
import { canonicalText, fieldsOf, type TablePlan } from "./sql.ts"
import {
  clearStage,
  contestedRows,
  dropUnstaged,
  patchStage,
  patchStageFields,
  stageFields,
  stageRows,
  swapRows,
  unstageRows,
} from "./stageStatements.ts"
import { type Counts, holdFields, holdRows, keepAside, reviseFields, reviseRows } from "./statements.ts"

/** The readable checkpoint is void from the first staged row on; a stage of another handle is forgotten. */
export const beginStage = async (applying: Applying): Promise<void> => {
  const { instance, plan, share, tx } = applying
  if (continuesStage(instance, share)) return
  await tx.query(clearStage(plan), [instance.id])
  await endPending(applying, "unknown")
  applying.instance = {
    ...applying.instance,
    hash: share.instance.hash,
    handle: null,
    offset: null,
    tagsDoubtful: false,
    staging: true,
    stageHandle: share.checkpoint.handle,
  }
}

/** Applies changes to the stage. @throws ShareRejected for an update of a row that is not staged */
export const stageChanges = async (applying: Applying, changes: Iterable<RowChange>): Promise<void> => {
  const { plan } = applying
  const drops: Array<RowChange> = []
  const puts: Array<Put> = []
  const patches: Array<Patch> = []
  for (const entry of changes) {
    if (entry._tag === "Drop") drops.push(entry)
    else if (entry._tag === "Put") puts.push(entry)
    else patches.push(entry)
  }
  await change(
    applying,
    unstageRows(plan),
    fieldsOf(plan.keys),
    drops.map(({ key }) => key),
  )
  await requireHeld(applying, plan.stage, patches)
  for (const { columns, rows } of byColumns(plan, puts, ({ values }) => values)) {
    const cells = []
    for (const { tags, values, version } of rows) {
      cells.push([...valueCells(columns, values), ...(await staged(applying, version)), ...tagCells(tags)])
    }
    await change(applying, stageRows(plan, columns), stageFields(columns), cells)
  }
  for (const { columns, rows } of byColumns(plan, patches, ({ values }) => values)) {
    const cells = []
    for (const { key, values, version } of rows) {
      if (version !== null)
        cells.push([...key, ...valueCells(columns, values), ...(await staged(applying, version))])
    }
    await change(applying, patchStage(plan, columns), patchStageFields(plan, columns), cells)
  }
  await retag(applying, plan.stage, patches)
}

const staged = async (applying: Applying, version: RowVersion) =>
  versionCells(await storedVersion(applying, version))

interface KeyRow {
  readonly [key: `k${number}`]: string
}

/** Keys as a query returned them; `::text` spells them canonically for all types but numeric. */
const keyOfRow = (plan: TablePlan, row: KeyRow): ReadonlyArray<string> =>
  plan.keys.map((_, index) => row[`k${index}`] ?? "")

interface KeyedCell<Row> {
  readonly key: ReadonlyArray<string>
  readonly cell: Contested
  readonly row: Row
}

const cellsByKey = <Row extends ContestedRow & KeyRow>(
  plan: TablePlan,
  rows: ReadonlyArray<Row>,
  instance: number,
): ReadonlyMap<string, KeyedCell<Row>> => {
  const cells = new Map<string, KeyedCell<Row>>()
  for (const row of rows) {
    const key = keyOfRow(plan, row)
    const name = JSON.stringify(key)
    cells.set(name, { key, cell: contested(cells.get(name)?.cell, row, instance), row })
  }
  return cells
}

const keepOpen = async (
  applying: Applying,
  rows: ReadonlyArray<{ readonly key: ReadonlyArray<string>; readonly cell: Contested }>,
): Promise<void> => {
  const { instance, plan } = applying
  const open = rows.filter(({ cell }) => isOpen(cell, instance.id)).map(({ key }) => key)
  await change(applying, keepAside(plan), fieldsOf(plan.keys), open, { scalars: [] })
}

interface StagedContest extends ContestedRow, KeyRow {
  readonly tags: ReadonlyArray<string> | null
  readonly active: ReadonlyArray<boolean> | null
  readonly s_lsn: string | null
  readonly s_op: string | null
  readonly s_txid: string | null
  readonly s_snapshot: number | null
  readonly s_state: string | null
  readonly s_xmin: string | null
  readonly s_xmax: string | null
  readonly s_xip_list: ReadonlyArray<string> | null
}

const stagedVersionOf = (row: StagedContest): VersionRow => ({
  lsn: row.s_lsn,
  op: row.s_op,
  txid: row.s_txid,
  snapshot: row.s_snapshot,
  state: row.s_state,
  xmin: row.s_xmin,
  xmax: row.s_xmax,
  xip_list: row.s_xip_list,
})

/** The stage becomes the instance's rows, touching only rows that differ; values that others wrote later stay. */
export const swapStage = async (applying: Applying): Promise<void> => {
  const { instance, plan, tx } = applying
  const rows = instance.shared ? await select<StagedContest>(tx, contestedRows(plan), [instance.id]) : []
  const cells = [...cellsByKey(plan, rows, instance.id).values()]
  const wins = ({ cell, row }: KeyedCell<StagedContest>): boolean =>
    verdictOn(applying, versionOfRow(stagedVersionOf(row)), cell) === "write"
  const winning = cells.filter(wins)
  const losing = cells.filter((cell) => !wins(cell))
  await keepOpen(applying, winning)
  const [dropped] = await select<Counts>(tx, dropUnstaged(plan), [instance.id])
  addCounts(applying.changes, plan.def.name, dropped ?? {})
  const lost = plan.keys.map((_, index) => losing.map(({ key }) => key[index] ?? null))
  const [swapped] = await select<Counts>(tx, swapRows(plan), [...lost, instance.id])
  addCounts(applying.changes, plan.def.name, swapped ?? {})
  const kept = losing.map(({ cell, key, row }) => [
    ...key,
    ...versionCells(cell.stored),
    String(cell.writer),
    ...tagCells(row.tags === null ? null : { tags: row.tags, active: row.active ?? [] }),
  ])
  await change(applying, holdRows(plan), holdFields(plan), kept)
  const revised = winning
    .filter(({ cell }) => cell.shared)
    .map(({ key, row }) => [...key, ...versionCells(stagedVersionOf(row)), String(instance.id)])
  await change(applying, reviseRows(plan), reviseFields(plan), revised, { scalars: [] })
  await tx.query(clearStage(plan), [instance.id])
  applying.instance = { ...applying.instance, rows: (swapped?.held ?? 0) + losing.length }
}

/** Canonical texts of key values whose type only Postgres can normalise, by column and sent text. */
export const canonicalTexts = async (
  applying: Applying,
  type: string,
  texts: ReadonlyArray<string>,
): Promise<ReadonlyMap<string, string>> => {
  const rows = await select<{ readonly sent: string; readonly text: string }>(
    applying.tx,
    `select u.sent, ${canonicalText(type, "u.sent")} as text from unnest($1::text[]) as u(sent)`,
    [texts],
  )
  return new Map(rows.map(({ sent, text }) => [sent, text]))
}
