/**
 * One share while it is applied: its transaction, its table's plan, its instance as it changes, and the snapshots it named.
 * Exists so that append and stage speak of the same share without passing ten arguments. Called by `commitShare.ts` and its steps.
 */
import type { Transaction } from "@electric-sql/pglite"
import type { InstanceCommit } from "../../ports/LocalStore.ts"
import type { RowVersion, Visibility } from "../store/version.ts"
import { closeSnapshot, createSnapshot, type InstanceRow } from "./instanceRows.ts"
import { type Cell, type Changes, overRows, type StoredVersion } from "./session.ts"
import type { Field, TablePlan } from "./sql.ts"
import { addCounts } from "./session.ts"
import type { Counts } from "./statements.ts"

export interface Applying {
  readonly tx: Transaction
  readonly plan: TablePlan
  readonly share: InstanceCommit
  /** Rows changed by this share alone. */
  readonly changes: Changes
  /** Snapshots stored by this share, by what they saw. */
  readonly snapshots: Map<string, number>
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

/** Runs a statement of counts over rows; adds them to the share's changes. Returns provenance rows added or removed. */
export const change = async (
  applying: Applying,
  sql: string,
  fields: ReadonlyArray<Field>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  scalars: ReadonlyArray<unknown> = [applying.instance.id],
): Promise<number> => {
  let held = 0
  await overRows<Counts>(applying.tx, sql, fields.length, rows, scalars, (counts) => {
    addCounts(applying.changes, applying.plan.def.name, counts)
    held += counts.held ?? 0
  })
  return held
}

/** Adds to the number of rows the instance holds. */
export const addHeld = (applying: Applying, rows: number): void => {
  applying.instance = { ...applying.instance, rows: applying.instance.rows + rows }
}
