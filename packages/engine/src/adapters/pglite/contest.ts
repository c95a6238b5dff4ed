/**
 * What a share is told of rows that other instances wrote or hold, and who wins. Pure. Called by the steps of a commit that rank.
 */
import { judge, type RowVersion, type Verdict } from "../store/version.ts"
import type { Applying } from "./applying.ts"
import { type StoredVersion, versionOfRow, type VersionRow } from "./session.ts"

/** The readable value of a row that another instance wrote or holds. */
export interface Contested {
  readonly version: RowVersion
  readonly stored: StoredVersion
  readonly writer: number
  /** Another instance holds the row as well. */
  readonly shared: boolean
}

/** A row as a query on provenance returns it. */
export interface ContestedRow extends VersionRow {
  readonly holder: number
  readonly writer: number
}

/** Every provenance row of a local row tells the same version: the first one stands for all. */
export const contested = (known: Contested | undefined, row: ContestedRow, instance: number): Contested => ({
  version: known?.version ?? versionOfRow(row),
  stored: known?.stored ?? row,
  writer: row.writer,
  shared: known?.shared === true || row.holder !== instance,
})

/** Whether a value of another instance must be put aside before it is overwritten: its `snapshot-end` may rank it higher. */
export const isOpen = (cell: Contested | undefined, instance: number): boolean =>
  cell !== undefined &&
  cell.writer !== instance &&
  cell.version._tag === "Snapshot" &&
  cell.version.visibility === "pending"

/** An instance never argues with itself: only values that others wrote are ranked. */
export const verdictOn = (applying: Applying, version: RowVersion, cell: Contested | undefined): Verdict =>
  cell === undefined || cell.writer === applying.instance.id ? "write" : judge(version, cell.version)
