/**
 * The state of the memory store and the only functions that change it. Every change notes its inverse, so that a rejected
 * share, or a commit that fails half-way, leaves nothing behind. Knows nothing of messages or modes. Called by `memoryShare.ts`
 * and `MemoryLocalStore.ts`.
 */
import type { TableDef } from "../../graph/Table.ts"
import type { TableChange } from "../../ports/LocalStore.ts"
import type { TextRow } from "../../protocol/Message.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import type { RowKey } from "../store/rowKey.ts"
import type { TagState } from "../store/tags.ts"
import type { RowVersion, SnapshotVersion } from "../store/version.ts"

/** A readable row, and which version of it that is. */
export interface Cell {
  readonly values: TextRow
  readonly version: RowVersion
  readonly writer: InstanceKey
}

/** A row of a refetch, not readable yet. */
export interface StagedRow {
  readonly values: TextRow
  readonly version: RowVersion
  readonly tags: TagState | null
}

export interface MemoryTable {
  readonly def: TableDef
  readonly rows: Map<RowKey, Cell>
  readonly holders: Map<RowKey, ReadonlySet<InstanceKey>>
}

export interface MemoryInstance {
  readonly key: InstanceKey
  readonly node: string
  readonly table: string
  readonly bindings: Readonly<Record<string, string>>
  readonly hash: string
  readonly handle: string | null
  readonly offset: string | null
  readonly complete: boolean
  readonly lastUpToDateAt: number | null
  /** A row of a subquery shape came without tags, so moves cannot be applied: it must refetch. */
  readonly tagsDoubtful: boolean
  readonly staging: boolean
  readonly stageHandle: string | null
  readonly swapped: boolean
  /** The snapshot whose `snapshot-end` is still to come; the very object that rows refer to. */
  readonly pending: SnapshotVersion | null
  readonly held: Map<RowKey, TagState | null>
  readonly stage: Map<RowKey, StagedRow>
  /** Snapshot values of held rows that another instance wrote, until the `snapshot-end` ranks them. */
  readonly waiting: Map<RowKey, TextRow>
}

export interface MemoryState {
  readonly tables: Map<string, MemoryTable>
  readonly instances: Map<InstanceKey, MemoryInstance>
}

/** Inverses of the changes made so far, and the rows they changed. */
export interface Journal {
  readonly undo: Array<() => void>
  readonly counts: Map<string, { inserted: number; updated: number; deleted: number }>
}

export const makeState = (tables: Readonly<Record<string, TableDef>>): MemoryState => ({
  tables: new Map(
    Object.entries(tables).map(([name, def]) => [name, { def, rows: new Map(), holders: new Map() }]),
  ),
  instances: new Map(),
})

export const makeJournal = (): Journal => ({ undo: [], counts: new Map() })

/** Undoes everything a journal noted, newest first. */
export const rollback = (journal: Journal): void => {
  for (const undo of journal.undo.reverse()) undo()
  journal.undo.length = 0
}

/** Sets a map entry and notes how to restore what was there. */
export const put = <Key, Value>(journal: Journal, map: Map<Key, Value>, key: Key, value: Value): void => {
  const known = map.get(key)
  const had = map.has(key)
  journal.undo.push(() => {
    if (had && known !== undefined) map.set(key, known)
    else if (had) map.set(key, known as Value)
    else map.delete(key)
  })
  map.set(key, value)
}

/** Removes a map entry and notes how to restore it. */
export const remove = <Key, Value>(journal: Journal, map: Map<Key, Value>, key: Key): void => {
  if (!map.has(key)) return
  const known = map.get(key) as Value
  journal.undo.push(() => map.set(key, known))
  map.delete(key)
}

/** Empties a map and notes how to restore it. */
export const clear = <Key, Value>(journal: Journal, map: Map<Key, Value>): void => {
  for (const key of [...map.keys()]) remove(journal, map, key)
}

/** Counts one changed row of a local table. */
export const count = (journal: Journal, table: string, kind: keyof TableChange): void => {
  const counts = journal.counts.get(table) ?? { inserted: 0, updated: 0, deleted: 0 }
  counts[kind]++
  journal.counts.set(table, counts)
}

/** Writes a readable row; absent columns keep their values, or start NULL. Counts only a real difference. */
export const writeCell = (
  journal: Journal,
  table: MemoryTable,
  key: RowKey,
  values: TextRow,
  version: RowVersion,
  writer: InstanceKey,
): void => {
  const known = table.rows.get(key)
  const base =
    known?.values ?? Object.fromEntries(Object.keys(table.def.columns).map((column) => [column, null]))
  const changed = Object.keys(values).some((column) => base[column] !== values[column])
  if (known === undefined) count(journal, table.def.name, "inserted")
  else if (changed) count(journal, table.def.name, "updated")
  put(journal, table.rows, key, { values: changed ? { ...base, ...values } : base, version, writer })
}

/** Records that an instance holds a row. */
export const hold = (
  journal: Journal,
  table: MemoryTable,
  instance: MemoryInstance,
  key: RowKey,
  tags: TagState | null,
): void => {
  put(journal, instance.held, key, tags)
  const holders = table.holders.get(key)
  if (holders?.has(instance.key) === true) return
  put(journal, table.holders, key, new Set([...(holders ?? []), instance.key]))
}

/** An instance lets go of a row; the row goes with its last holder. */
export const release = (
  journal: Journal,
  table: MemoryTable,
  instance: MemoryInstance,
  key: RowKey,
): void => {
  remove(journal, instance.waiting, key)
  if (!instance.held.has(key)) return
  remove(journal, instance.held, key)
  const rest = new Set(table.holders.get(key))
  rest.delete(instance.key)
  if (rest.size > 0) {
    put(journal, table.holders, key, rest)
    return
  }
  remove(journal, table.holders, key)
  remove(journal, table.rows, key)
  count(journal, table.def.name, "deleted")
}
