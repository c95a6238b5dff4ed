/**
 * First snapshots by `COPY`, from the bytes they came in. Rows of all instances that are applied together go into one COPY per table, sent
 * when something else needs them or the transaction ends. Exists for tables whose rows say whose they are: there a row of a first
 * snapshot is new, and when it is not, the primary key refuses it, the whole commit is undone, and every share takes the careful way.
 * Called by `commitShare.ts`; whoever reads or rewrites rows of a table in bulk calls `flushCopies` first.
 */
import type { PackedRows } from "../../protocol/PackedRows.ts"
import type { Folded } from "../store/fold.ts"
import type { Slice } from "../store/slice.ts"
import { type RowVersion, visibilityOf } from "../store/version.ts"
import { addHeld, type Applying, storedVersion } from "./applying.ts"
import { writeCopy } from "./copyShare.ts"
import { addCounts, type Tx } from "./session.ts"
import type { TablePlan } from "./sql.ts"
import type { TableState } from "./tableStates.ts"
import type { ByteWriter } from "./wire/ByteWriter.ts"
import { binaryTypes } from "./wire/encoders.ts"
import { type EncodeSpan, spanEncoder } from "./wire/spans.ts"

/** Rows that wait for their COPY. */
export interface WaitingCopy {
  readonly plan: TablePlan
  readonly packed: PackedRows
  readonly slice: Slice
}

/** Bytes of bodies that may wait; more are copied at once. Bounds the memory of a commit, and how long one message keeps readers waiting. */
const mostWaitingBytes = 8 * 1024 * 1024

/** The rows of a share when they can be copied as they came, else null. */
export const packable = (
  { careful, instance, plan, share, tx }: Applying,
  state: TableState,
): PackedRows | null => {
  const { packed } = share
  if (packed === undefined || tx.raw === null || careful || share.instance.tagged) return null
  if (state.explicit || state.spilled || instance.complete || tx.overlapping.has(instance.id)) return null
  return plan.columns.every(({ name, type }) => type in binaryTypes && packed.columns.includes(name))
    ? packed
    : null
}

/** What `fold` would say of packed rows, but for the rows. */
export const foldPacked = (packed: PackedRows): Folded => ({
  changes: new Map(),
  snapshotEnd: packed.snapshotEnd === null ? null : visibilityOf(packed.snapshotEnd),
  tagsMissing: false,
})

/** Takes the rows of a share for the next COPY. */
export const appendPacked = async (
  applying: Applying,
  state: TableState,
  packed: PackedRows,
): Promise<void> => {
  const { plan, share, tx } = applying
  const version: RowVersion = {
    _tag: "Snapshot",
    visibility:
      packed.snapshotEnd !== null ? visibilityOf(packed.snapshotEnd) : share.upToDate ? "unknown" : "pending",
  }
  const { snapshot } = await storedVersion(applying, version)
  if (snapshot !== applying.instance.snapshot) applying.instance = { ...applying.instance, snapshot }
  tx.copies.push({ plan, packed, slice: state.slices.get(applying.instance.id) ?? {} })
  addCounts(applying.changes, plan.def.name, { inserted: packed.count })
  addHeld(applying, packed.count)
  const waiting = tx.copies.reduce((sum, copy) => sum + copy.packed.bytes.length, 0)
  if (waiting > mostWaitingBytes) await flushCopies(tx)
}

/** A row that only the careful way can take; fails the transaction. */
export class NotPlain extends Error {}

/** Sends every waiting COPY. @throws NotPlain, or Postgres's refusal of a row that is there already */
export const flushCopies = async (tx: Tx): Promise<void> => {
  const copies = tx.copies.splice(0)
  for (const [plan, found] of Map.groupBy(copies, (copy) => copy.plan))
    await tx.raw?.send((message) => writeRows(message, plan, found))
}

const writeRows = (message: ByteWriter, plan: TablePlan, copies: ReadonlyArray<WaitingCopy>): void => {
  const sql = `copy ${plan.app} (${plan.columns.map(({ quoted }) => quoted).join(", ")}) from stdin with (format binary)`
  const rows = copies.map((copy) => rowWriter(message, copy))
  const whole = writeCopy(message, sql, (next) =>
    copies.every(({ packed }, index) => {
      const write = rows[index]
      for (let row = 0; row < packed.count; row += 1) if (write?.(row) !== true || !next()) return false
      return true
    }),
  )
  if (!whole) throw new NotPlain(`a value of table ${plan.def.name} has no binary form`)
}

/** Writes one row; false when the careful way must look at it. */
const rowWriter = (message: ByteWriter, { packed, plan, slice }: WaitingCopy): ((row: number) => boolean) => {
  const { bytes, spans } = packed
  const width = packed.columns.length
  const names = plan.columns.map(({ name }) => name)
  const positions = Int32Array.from(names, (name) => packed.columns.indexOf(name))
  const encoders = plan.columns.map(({ type }) => spanEncoder(type) ?? refuse)
  const constants = names.map((name) => (Object.hasOwn(slice, name) ? utf8.encode(slice[name]) : null))
  return (row) => {
    message.int16(names.length)
    for (let column = 0; column < names.length; column += 1) {
      const at = (row * width + (positions[column] ?? 0)) * 2
      const start = spans[at] ?? -1
      const end = spans[at + 1] ?? 0
      const constant = constants[column] ?? null
      if (constant !== null && !equals(bytes, start, end, constant)) return false
      if (start < 0) message.int32(-1)
      else if (!(encoders[column] ?? refuse)(message, bytes, start, end, names[column] ?? "")) return false
    }
    return true
  }
}

const refuse: EncodeSpan = () => false

const utf8 = new TextEncoder()

/** Another spelling of an equal value is left to the careful way. */
const equals = (bytes: Uint8Array, start: number, end: number, constant: Uint8Array): boolean => {
  if (start < 0 || end - start !== constant.length) return false
  for (let index = 0; index < constant.length; index += 1)
    if (bytes[start + index] !== constant[index]) return false
  return true
}
