/**
 * How each local table keeps its provenance (docs/decisions/005). Implicit: the row itself says whose it is, because no two
 * instances can hold the same row; only keys that are disputed have entries. Explicit: every row of every instance has one.
 * Exists so that one place decides when a table changes from one to the other. Called by the steps of a commit and by the reads.
 */
import type { InstanceCommit } from "../../ports/LocalStore.ts"
import { type Slice, sliceOf, Slices } from "../store/slice.ts"
import { flushCopies } from "./copyPacked.ts"
import { createInstance, type InstanceRow } from "./instanceRows.ts"
import { later, select, type Tx } from "./session.ts"
import type { TablePlan } from "./sql.ts"
import { backfillRows } from "./implicitStatements.ts"

export interface TableState {
  /** Every held row has an entry per holder. */
  explicit: boolean
  /** Implicit, and yet there are entries: an entry overrides what the row says. */
  spilled: boolean
  /** What the rows of each instance have in common. */
  readonly slices: Slices
}

/** The state of a table. */
export const tableState = async (tx: Tx, plan: TablePlan): Promise<TableState> => {
  const { name } = plan.def
  const known = tx.tables.get(name)
  if (known !== undefined) return known
  const [modes] = await select<{ readonly explicit: boolean; readonly spilled: boolean }>(
    tx,
    "select explicit, spilled from espalier.tables where name = $1",
    [name],
  )
  const instances = await select<{ readonly id: number; readonly slice: string }>(
    tx,
    "select id, slice::text as slice from espalier.instances where table_name = $1",
    [name],
  )
  const slices = new Slices()
  for (const { id, slice } of instances) slices.add(id, JSON.parse(slice) as Slice)
  const state = { explicit: modes?.explicit ?? true, spilled: modes?.spilled ?? false, slices }
  tx.tables.set(name, state)
  return state
}

/** Creates the instance of a share. Its table becomes explicit unless its rows can be told from those of all others. */
export const admitInstance = async (tx: Tx, plan: TablePlan, share: InstanceCommit): Promise<InstanceRow> => {
  const state = await tableState(tx, plan)
  const slice = sliceOf(plan.def, share.instance)
  const first = state.slices.size === 0
  if (first && state.explicit !== share.instance.tagged)
    await setExplicit(tx, plan, state, share.instance.tagged)
  if (!first && (share.instance.tagged || !state.slices.isApart(slice))) await becomeExplicit(tx, plan, state)
  const created = await createInstance(tx, share, slice)
  state.slices.add(created.id, slice)
  return created
}

/** A known key may name another definition by now: rows that were told apart by the old one get entries. */
export const redefineInstance = async (
  tx: Tx,
  plan: TablePlan,
  share: InstanceCommit,
  instance: InstanceRow,
): Promise<void> => {
  const state = await tableState(tx, plan)
  const slice = sliceOf(plan.def, share.instance)
  const known = state.slices.get(instance.id)
  if (JSON.stringify(known) === JSON.stringify(slice) && (state.explicit || !share.instance.tagged)) return
  await becomeExplicit(tx, plan, state)
  state.slices.add(instance.id, slice)
  await later(tx, "update espalier.instances set slice = $2::text::jsonb where id = $1", [
    instance.id,
    JSON.stringify(slice),
  ])
}

/** Writes the entries of every row that has none. */
const becomeExplicit = async (tx: Tx, plan: TablePlan, state: TableState): Promise<void> => {
  if (state.explicit) return
  await flushCopies(tx)
  for (const [id, slice] of state.slices.entries())
    await later(tx, backfillRows(plan, slice), [id, ...Object.values(slice)])
  await setExplicit(tx, plan, state, true)
}

const setExplicit = async (tx: Tx, plan: TablePlan, state: TableState, explicit: boolean): Promise<void> => {
  state.explicit = explicit
  state.spilled = false
  await later(tx, "update espalier.tables set explicit = $2, spilled = false where name = $1", [
    plan.def.name,
    explicit,
  ])
}

/** Notes that an implicit table has entries, or has none any more. */
export const setSpilled = async (
  tx: Tx,
  plan: TablePlan,
  state: TableState,
  spilled: boolean,
): Promise<void> => {
  if (state.spilled === spilled) return
  state.spilled = spilled
  await later(tx, "update espalier.tables set spilled = $2 where name = $1", [plan.def.name, spilled])
}
