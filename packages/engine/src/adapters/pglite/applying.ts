/**
 * One share while it is applied: its transaction, its table's plan, its instance as it changes, and the snapshots it named.
 * Exists so that append and stage speak of the same share without passing ten arguments. Called by `commitShare.ts` and its steps.
 */
import type { InstanceCommit } from "../../ports/LocalStore.ts"
import type { RowVersion, Visibility } from "../store/version.ts"
import { closeSnapshot, createSnapshot, type InstanceRow } from "./instanceRows.ts"
import { addCounts, type Changes, columnsOf, overColumns, type StoredVersion, type Tx } from "./session.ts"
import type { Field, TablePlan } from "./sql.ts"
import type { Counts } from "./statements.ts"
import type { Cell, Column } from "./wire/arrays.ts"

export interface Applying {
  readonly tx: Tx
  readonly plan: TablePlan
  readonly share: InstanceCommit
  /** Rows changed by this share alone. */
  readonly changes: Changes
  /** Snapshots stored by this share, by what they saw. */
  readonly snapshots: Map<string, number>
  /** Statements are run one by one, so that a refusal is this share's. Otherwise they are pushed and sent together. */
  readonly careful: boolean
  /** Counts that change what the instance holds are still to come. */
  counting: boolean
  instance: InstanceRow
}

/** The version as it is stored for rows of this share; an open snapshot is one per instance. */
export const storedVersion = async (applying: Applying, version: RowVersion): Promise<StoredVersion> => {
  if (version._tag === "Log") {
    return {
      lsn: String(version.lsn),
      op: String(version.op),
      txid: version.txid === null ? null : String(version.txid),
      snapshot: null,
    }
  }
  return { lsn: null, op: null, txid: null, snapshot: await snapshotId(applying, version.visibility) }
}

const snapshotId = async (applying: Applying, visibility: Visibility): Promise<number | null> => {
  if (visibility === "unknown") return null
  if (visibility === "pending") {
    const { pending } = applying.instance
    if (pending !== null) return pending
    const created = await createSnapshot(applying.tx, visibility)
    applying.instance = { ...applying.instance, pending: created }
    return created
  }
  const name = JSON.stringify(visibility)
  const known = applying.snapshots.get(name)
  if (known !== undefined) return known
  const created = await createSnapshot(applying.tx, visibility)
  applying.snapshots.set(name, created)
  return created
}

/** Ends the open snapshot of the instance. */
export const endPending = async (applying: Applying, visibility: Visibility): Promise<void> => {
  const { pending } = applying.instance
  if (pending === null) return
  await closeSnapshot(applying.tx, pending, visibility)
  if (typeof visibility !== "string") applying.snapshots.set(JSON.stringify(visibility), pending)
  applying.instance = { ...applying.instance, pending: null }
}

/** How a statement is run. */
export interface ChangeOptions {
  /** Parameters behind the arrays. Default: the instance's id. */
  readonly scalars?: ReadonlyArray<unknown>
  /** Whether its provenance rows are gained (1), lost (-1) or neither (0, the default). */
  readonly held?: 1 | -1 | 0
}

/** Runs a statement of counts over columns of rows; adds them to the share's changes and to what the instance holds. */
export const changeColumns = async (
  applying: Applying,
  sql: string,
  fields: ReadonlyArray<Field>,
  columns: ReadonlyArray<Column>,
  count: number,
  options: ChangeOptions = {},
): Promise<void> => {
  const { held = 0, scalars = [applying.instance.id] } = options
  if (count > 0 && held !== 0 && !applying.careful) applying.counting = true
  const add = (counts: Counts): void => {
    addCounts(applying.changes, applying.plan.def.name, counts)
    if (held !== 0) addHeld(applying, held * (counts.held ?? 0))
  }
  await overColumns<Counts>(applying.tx, sql, fields, columns, count, scalars, add, applying.careful)
}

/** The same over rows of cells. */
export const change = (
  applying: Applying,
  sql: string,
  fields: ReadonlyArray<Field>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  options: ChangeOptions = {},
): Promise<void> => changeColumns(applying, sql, fields, columnsOf(fields.length, rows), rows.length, options)

/** Pushes a statement of counts for every row, each cell a parameter and the scalars (the instance's id) last. */
export const pushRows = (
  applying: Applying,
  sql: string,
  inputs: ReadonlyArray<Column>,
  count: number,
  scalars: ReadonlyArray<unknown> = [applying.instance.id],
): void => {
  const { plan, tx } = applying
  for (let row = 0; row < count; row += 1) {
    const cells = inputs.map((input) => ("constant" in input ? input.constant : input.at(row)))
    tx.raw?.push<Counts>(sql, [...cells, ...scalars], ([counts]) =>
      addCounts(applying.changes, plan.def.name, counts ?? {}),
    )
  }
}

/** Adds to the number of rows the instance holds. */
export const addHeld = (applying: Applying, rows: number): void => {
  applying.instance = { ...applying.instance, rows: applying.instance.rows + rows }
}
