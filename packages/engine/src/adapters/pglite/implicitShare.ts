/**
 * Applies folded changes to an implicit table: rows whose columns say whose they are get no provenance entry. Keys that are disputed,
 * or that have entries already, take the way of `appendShare.ts`. Called by `commitShare.ts` for `append` and `swap`.
 */
import { type Drop, type Patch, type Put, type RowChange, unknownRow } from "../store/fold.ts"
import { fitsSlice, type Slice } from "../store/slice.ts"
import type { RowVersion } from "../store/version.ts"
import { appendChanges, fewRows } from "./appendShare.ts"
import { addHeld, type Applying, change, changeColumns, pushRows, storedVersion } from "./applying.ts"
import { copyRows } from "./copyShare.ts"
import {
  classifyRows,
  disputedStage,
  dropOwn,
  dropUnstagedOwn,
  patchOwn,
  patchOwnRow,
  putOwn,
  stagedPosition,
  swapOwn,
} from "./implicitStatements.ts"
import { keyColumns, valueColumns } from "./inputs.ts"
import { addCounts, byColumns, overRows, select, type StoredVersion } from "./session.ts"
import { foldBack, spill } from "./spill.ts"
import { fieldsOf, type TablePlan } from "./sql.ts"
import { swapStage } from "./stageShare.ts"
import type { Counts } from "./statements.ts"
import { setSpilled, type TableState } from "./tableStates.ts"

/** Applies changes to the readable rows. @throws ShareRejected for an update of a row that is not held */
export const appendOwn = async (
  applying: Applying,
  state: TableState,
  changes: Iterable<RowChange>,
): Promise<void> => {
  const { plan } = applying
  const slice = state.slices.get(applying.instance.id) ?? {}
  const all = [...changes]
  const misfits = new Set(
    all.filter((entry) => entry._tag !== "Drop" && !fitsSlice(plan.def, slice, entry.values)),
  )
  const asked = applying.careful || state.spilled || misfits.size > 0
  const disputed = asked ? await disputedAmong(applying, slice, all, misfits) : []
  await notePosition(applying, all)
  if (disputed.length === 0) {
    await appendUndisputed(applying, slice, all)
    return
  }
  const apart = new Set(disputed)
  const keys = disputed.map(({ key }) => key)
  await spill(applying, state, keys)
  await setSpilled(applying.tx, plan, state, true)
  await appendChanges(applying, disputed)
  await appendUndisputed(
    applying,
    slice,
    all.filter((entry) => !apart.has(entry)),
  )
  await foldBack(applying.tx, plan, state, keys)
}

/** Changes of rows that have entries or need them. @throws ShareRejected for an update of a row that is not held */
const disputedAmong = async (
  { plan, tx }: Applying,
  slice: Slice,
  all: ReadonlyArray<RowChange>,
  misfits: ReadonlySet<RowChange>,
): Promise<ReadonlyArray<RowChange>> => {
  const disputed = new Set<RowChange>(misfits)
  await overRows<{ readonly ord: number; readonly entry: boolean; readonly present: boolean }>(
    tx,
    classifyRows(plan, slice),
    fieldsOf(plan.keys),
    all.map(({ key }) => key),
    Object.values(slice),
    ({ entry, ord, present }, first) => {
      const found = all[first + ord - 1]
      if (found === undefined) return
      if (entry || (found._tag === "Put" && present)) disputed.add(found)
      else if (found._tag === "Patch") throw unknownRow(plan.def, found.key)
    },
  )
  return all.filter((entry) => disputed.has(entry))
}

/** Its rows are at least as new as the newest log entry among them, and as their snapshot. */
const notePosition = async (applying: Applying, all: ReadonlyArray<RowChange>): Promise<void> => {
  let { lsn, op, txid } = applying.instance
  let [newest, position] = lsn === null ? [-1n, -1] : [BigInt(lsn), Number(op ?? 0)]
  let last: RowVersion | null = null
  for (const entry of all) {
    if (entry._tag === "Drop" || entry.version === null || entry.version === last) continue
    const { version } = entry
    last = version
    if (version._tag === "Snapshot") {
      const { snapshot } = await storedVersion(applying, version)
      if (snapshot !== applying.instance.snapshot) applying.instance = { ...applying.instance, snapshot }
    } else if (version.lsn > newest || (version.lsn === newest && version.op > position)) {
      newest = version.lsn
      position = version.op
      lsn = String(version.lsn)
      op = String(version.op)
      txid = version.txid === null ? null : String(version.txid)
    }
  }
  applying.instance = { ...applying.instance, lsn, op, txid }
}

const appendUndisputed = async (
  applying: Applying,
  slice: Slice,
  all: ReadonlyArray<RowChange>,
): Promise<void> => {
  const { plan } = applying
  const constants = Object.values(slice)
  const drops: Array<Drop> = []
  const puts: Array<Put> = []
  const patches: Array<Patch> = []
  for (const entry of all) {
    if (entry._tag === "Drop") drops.push(entry)
    else if (entry._tag === "Put") puts.push(entry)
    else patches.push(entry)
  }
  const gone = drops.map(({ key }) => key)
  await change(applying, dropOwn(plan, slice), fieldsOf(plan.keys), gone, { scalars: constants, held: -1 })
  const written = (await copyRows(applying, puts, { entries: false })) ? [] : puts
  for (const { columns, rows } of byColumns(plan, written, ({ values }) => values)) {
    const inputs = valueColumns(columns, rows)
    const options = { scalars: constants, held: 1 } as const
    await changeColumns(
      applying,
      putOwn(plan, columns, slice),
      fieldsOf(columns),
      inputs,
      rows.length,
      options,
    )
  }
  for (const { columns, rows } of byColumns(plan, patches, ({ values }) => values))
    await patch(applying, slice, columns, rows)
}

const patch = async (
  applying: Applying,
  slice: Slice,
  columns: TablePlan["columns"],
  rows: ReadonlyArray<Patch>,
): Promise<void> => {
  const { plan } = applying
  const constants = Object.values(slice)
  const inputs = [...keyColumns(plan.keys.length, rows), ...valueColumns(columns, rows)]
  if (!applying.careful && rows.length <= fewRows && columns.length > 0) {
    pushRows(applying, patchOwnRow(plan, columns, slice), inputs, rows.length, constants)
    return
  }
  const fields = [...fieldsOf(plan.keys), ...fieldsOf(columns)]
  await changeColumns(applying, patchOwn(plan, columns, slice), fields, inputs, rows.length, {
    scalars: constants,
  })
}

/** The stage becomes the instance's rows, touching only rows that differ. */
export const swapOwnStage = async (applying: Applying, state: TableState): Promise<void> => {
  const { plan, tx } = applying
  const slice = state.slices.get(applying.instance.id) ?? {}
  const parameters = [applying.instance.id, ...Object.values(slice)]
  const [position] = await select<StoredVersion>(tx, stagedPosition(plan), [applying.instance.id])
  const before = { lsn: null, op: null, txid: null, snapshot: null }
  if (applying.careful) {
    const rows = await select<{ readonly [key: `k${number}`]: string }>(
      tx,
      disputedStage(plan, slice),
      parameters,
    )
    const keys = rows.map((row) => plan.keys.map((_, index) => row[`k${index}`] ?? ""))
    await spill(applying, state, keys, true)
    if (keys.length > 0) await setSpilled(tx, plan, state, true)
  }
  const [dropped] = await select<Counts>(tx, dropUnstagedOwn(plan, slice), parameters)
  addCounts(applying.changes, plan.def.name, dropped ?? {})
  const [swapped] = await select<Counts>(tx, swapOwn(plan, slice), parameters)
  addCounts(applying.changes, plan.def.name, swapped ?? {})
  applying.instance = { ...applying.instance, rows: 0 }
  if (state.spilled) await swapStage(applying)
  addHeld(applying, swapped?.held ?? 0)
  applying.instance = { ...applying.instance, ...before, ...position }
  if (state.spilled) await foldBack(tx, plan, state, null)
}
