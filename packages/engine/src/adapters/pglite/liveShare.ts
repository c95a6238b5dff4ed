/**
 * The live change: a share of one update of a row that says whose it is. Exists because that is what a running app commits all day, and
 * because the general way through a commit costs more than the row: here the row, its guard and the instance's checkpoint
 * are one statement. What it does not know for certain it leaves to `commitShare.ts`, which calls it.
 */
import type { InstanceCommit } from "../../ports/LocalStore.ts"
import { Operation } from "../../protocol/constants.ts"
import { type ChangeMessage, isChange, isUpToDate, type Message } from "../../protocol/Message.ts"
import { canonicalPlain, keyTextsOf } from "../store/rowKey.ts"
import { fitsSlice, type Slice } from "../store/slice.ts"
import { logVersionOf } from "../store/version.ts"
import { inSlice, isRowOf } from "./implicitStatements.ts"
import type { InstanceRow } from "./instanceRows.ts"
import { addCounts, type Changes, type Tx } from "./session.ts"
import { columnsName, differs, exoticKeys, once, type PlanColumn, type TablePlan } from "./sql.ts"

/** Pushes the share's only statement. Null, and nothing done, when the share is of another kind. */
export const applyLive = (
  tx: Tx,
  plan: TablePlan,
  share: InstanceCommit,
  now: number,
  changes: Changes,
): InstanceRow | null => {
  const known = tx.known.get(share.instance.key)
  const state = tx.tables.get(plan.def.name)
  const change = onlyUpdate(share.messages)
  if (tx.raw === null || known === undefined || state === undefined || change === null) return null
  if (state.explicit || state.spilled || tx.copies.length > 0 || !goesOn(known, share)) return null
  const slice = state.slices.get(known.id)
  const columns = plan.columns.filter((column) => !plan.keys.includes(column) && column.name in change.value)
  if (slice === undefined || columns.length === 0 || !fitsSlice(plan.def, slice, change.value)) return null
  const version = logVersionOf(change.headers)
  if (version === null || exoticKeys(plan).length > 0) return null
  const { lsn, op } = version
  const newest = known.lsn === null ? -1n : BigInt(known.lsn)
  const moves = lsn > newest || (lsn === newest && op > Number(known.op ?? 0))
  const txid = version.txid === null ? null : String(version.txid)
  const row: InstanceRow = {
    ...known,
    offset: share.checkpoint.offset,
    complete: known.complete || share.upToDate,
    lastUpToDateAt: share.upToDate ? now : known.lastUpToDateAt,
    ...(moves ? { lsn: String(lsn), op: String(op), txid } : {}),
  }
  tx.raw.pushSetting(updateAndAdvance(plan, columns, slice), [
    ...keyTextsOf(plan.def, change.value, canonicalPlain),
    ...columns.map(({ name }) => change.value[name] ?? null),
    ...Object.values(slice),
    ...[row.offset, row.lastUpToDateAt, row.complete, row.lsn, row.op, row.txid, row.id],
  ])
  addCounts(changes, plan.def.name, { updated: 1 })
  tx.known.set(share.instance.key, row)
  return row
}

/** The update, when it is all that the messages say. */
const onlyUpdate = (messages: ReadonlyArray<Message>): ChangeMessage | null => {
  let found: ChangeMessage | null = null
  for (const message of messages) {
    if (isUpToDate(message)) continue
    if (found !== null || !isChange(message)) return null
    found = message
  }
  const { operation, tags } = found?.headers ?? {}
  return operation === Operation.update && tags === undefined ? found : null
}

/** The share goes on behind the readable rows, and nothing else about its instance is new. */
const goesOn = (known: InstanceRow, share: InstanceCommit): boolean =>
  share.mode === "append" &&
  share.packed === undefined &&
  !share.instance.tagged &&
  known.table === share.instance.table &&
  known.node === share.instance.node &&
  known.hash === share.instance.hash &&
  known.handle === share.checkpoint.handle &&
  known.pending === null &&
  !known.staging &&
  !known.swapped &&
  !known.tagsDoubtful

/**
 * Changes some columns of one row of the slice and moves the instance on. Fails with a division by zero when the row is not there, or
 * is so already: counting it would cost a third more. The flag that the app's triggers read is set before the row is touched: CASE
 * keeps the order. Parameters: keys, columns, the slice's constants, then what the instance becomes and its id.
 */
const updateAndAdvance = (plan: TablePlan, columns: ReadonlyArray<PlanColumn>, slice: Slice): string =>
  once(plan, `live ${columnsName(columns)} / ${Object.keys(slice).join(" ")}`, () => {
    const first = plan.keys.length + columns.length + 1
    const last = first + Object.keys(slice).length
    const mine = `${isRowOf(plan, "t")} and ${inSlice(plan, slice, "t", first)}`
    const inputs = new Map(
      columns.map(({ quoted, type }, index) => [quoted, `$${plan.keys.length + index + 1}::${type}`]),
    )
    const set = [...inputs].map(([column, value]) => `${column} = ${value}`).join(", ")
    const changed = differs(
      [...inputs.keys()],
      (column) => `t.${column}`,
      (column) => inputs.get(column) ?? "",
    )
    const advanced = ["log_offset", "last_up_to_date", "complete", "pos_lsn", "pos_op", "pos_txid"]
    return `with app as (update ${plan.app} as t set ${set} where ${mine} and ${changed} returning 1)
      update espalier.instances as i set ${advanced.map((column, index) => `${column} = $${last + index}`).join(", ")}
      where i.id = $${last + advanced.length}::int4 and case when set_config('espalier.syncing', 'on', true) = 'on' then
        1 / (case when exists (select 1 from app) then 1 else 0 end) = 1 end`
  })
