/**
 * Disputed keys of an implicit table: each holder gets an entry while two instances claim the row, and the entries go again when
 * one holder is left that the row itself names. Called by `implicitShare.ts` and by the collection of instances.
 */
import { canonicalPlain } from "../store/rowKey.ts"
import { type Applying, change } from "./applying.ts"
import { entriesOf, removeEntries, unentered } from "./implicitStatements.ts"
import {
  columnsOf,
  overColumns,
  overRows,
  select,
  type StoredVersion,
  type Tx,
  versionCells,
} from "./session.ts"
import { fieldsOf, type TablePlan } from "./sql.ts"
import { holdFields, holdRows } from "./statements.ts"
import { setSpilled, type TableState } from "./tableStates.ts"

type Key = ReadonlyArray<string>

/** The columns that say whose a row is. */
export const tellingColumns = (plan: TablePlan, state: TableState): TablePlan["columns"] => {
  const names = new Set<string>()
  for (const [, slice] of state.slices.entries()) for (const name of Object.keys(slice)) names.add(name)
  return plan.columns.filter(({ name }) => names.has(name))
}

/** The instance that a row's texts of those columns name. */
export const ownerOf = (
  state: TableState,
  columns: TablePlan["columns"],
  texts: ReadonlyArray<string | null>,
): number | null =>
  state.slices.ownerOf(
    Object.fromEntries(
      columns.map(({ name, type }, index) => {
        const text = texts[index] ?? null
        return [name, text === null ? null : canonicalPlain(type, text)]
      }),
    ),
  )

/**
 * Writes the entries that the readable rows of the keys stand for: as new as their holder is. With `claim`, a key that has no readable
 * row gets an entry of the share's own instance.
 */
export const spill = async (
  applying: Applying,
  state: TableState,
  keys: ReadonlyArray<Key>,
  claim = false,
): Promise<void> => {
  if (keys.length === 0) return
  const { plan, tx } = applying
  const columns = tellingColumns(plan, state)
  const byOwner = new Map<number, Array<Key>>()
  const found = new Set<Key>()
  await overRows<{ readonly ord: number; readonly values: ReadonlyArray<string | null> }>(
    tx,
    unentered(plan, columns),
    fieldsOf(plan.keys),
    keys,
    [],
    ({ ord, values }, first) => {
      const key = keys[first + ord - 1]
      const owner = ownerOf(state, columns, values)
      if (key === undefined) return
      found.add(key)
      if (owner !== null) byOwner.set(owner, [...(byOwner.get(owner) ?? []), key])
      else if (claim) found.delete(key)
    },
  )
  const positions = await select<StoredVersion & { readonly id: number }>(
    tx,
    `select id, pos_lsn::text as lsn, pos_op::text as op, pos_txid::text as txid, case when pos_lsn is null then snapshot end as snapshot
       from espalier.instances where id = any($1::int4[])`,
    [[...byOwner.keys()]],
  )
  for (const position of positions) {
    const entry = [...versionCells(position), String(position.id), null, null]
    const rows = (byOwner.get(position.id) ?? []).map((key) => [...key, ...entry])
    await change(applying, holdRows(plan), holdFields(plan), rows, { scalars: [position.id] })
  }
  const own = [null, null, null, null, String(applying.instance.id), null, null]
  const claimed = claim ? keys.filter((key) => !found.has(key)).map((key) => [...key, ...own]) : []
  await change(applying, holdRows(plan), holdFields(plan), claimed)
}

interface EntryRow {
  readonly [key: `k${number}`]: string
  readonly holder: number
  readonly writer: number
  readonly values: ReadonlyArray<string | null>
}

/** Removes the entries of keys (null: of all) whose one holder wrote the row that names it. */
export const foldBack = async (
  tx: Tx,
  plan: TablePlan,
  state: TableState,
  keys: ReadonlyArray<Key> | null,
): Promise<void> => {
  if (!state.spilled) return
  const columns = tellingColumns(plan, state)
  const entries = new Map<string, Array<EntryRow>>()
  const take = (row: EntryRow): void => {
    const name = JSON.stringify(keyOf(plan, row))
    entries.set(name, [...(entries.get(name) ?? []), row])
  }
  if (keys === null) for (const row of await select<EntryRow>(tx, entriesOf(plan, columns, true))) take(row)
  else await overRows<EntryRow>(tx, entriesOf(plan, columns, false), fieldsOf(plan.keys), keys, [], take)
  const settled = [...entries.values()].flatMap((rows) => {
    const [row] = rows
    if (row === undefined || rows.length > 1 || row.writer !== row.holder) return []
    return ownerOf(state, columns, row.values) === row.holder ? [keyOf(plan, row)] : []
  })
  const fields = fieldsOf(plan.keys)
  await overColumns(
    tx,
    removeEntries(plan),
    fields,
    columnsOf(fields.length, settled),
    settled.length,
    [],
    () => undefined,
  )
  const [left] = await select<{ readonly some: boolean }>(
    tx,
    `select exists (select 1 from ${plan.held}) as some`,
  )
  if (left?.some === false) await setSpilled(tx, plan, state, false)
}

const keyOf = (plan: TablePlan, row: EntryRow): Key => plan.keys.map((_, index) => row[`k${index}`] ?? "")
