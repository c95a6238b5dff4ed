/**
 * Reads and writes `espalier.instances` and `espalier.snapshots`: where each instance stands, and what each snapshot saw.
 * No other file names these tables' columns, except the DDL. Called by the steps of a commit and by the reads.
 */
import type { InstanceCommit, StoredInstance } from "../../ports/LocalStore.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import type { HeldState } from "../store/shareMode.ts"
import type { Slice } from "../store/slice.ts"
import type { Visibility } from "../store/version.ts"
import { later, select, type Tx } from "./session.ts"

/** An instance while a share is applied to it. */
export interface InstanceRow extends HeldState {
  readonly id: number
  readonly node: string
  readonly table: string
  readonly lastUpToDateAt: number | null
  readonly tagsDoubtful: boolean
  /** The snapshot whose `snapshot-end` is still to come. */
  readonly pending: number | null
  /** Some other instance holds, or held, rows of the same local table. */
  readonly shared: boolean
  /** The newest log entry among its rows, and the snapshot of the others: what any of its rows is at least as new as. */
  readonly lsn: string | null
  readonly op: string | null
  readonly txid: string | null
  readonly snapshot: number | null
}

const stateColumns = `i.id, i.node, i.table_name as "table", i.hash, i.handle, i.log_offset as "offset", i.complete, i.held as rows,
  i.last_up_to_date as "lastUpToDateAt", i.tags_doubtful as "tagsDoubtful", i.staging, i.stage_handle as "stageHandle",
  i.pending_snapshot as pending, i.swapped, coalesce(t.shared, true) as shared, i.pos_lsn::text as lsn, i.pos_op::text as op, i.pos_txid::text as txid, i.snapshot`

/** The instance of a key, or null. */
export const loadInstance = async (tx: Tx, key: InstanceKey): Promise<InstanceRow | null> => {
  const known = tx.known.get(key)
  if (known !== undefined) return known
  const [row] = await select<InstanceRow>(
    tx,
    `select ${stateColumns} from espalier.instances i left join espalier.tables t on t.name = i.table_name where i.key = $1`,
    [key],
  )
  if (row !== undefined) tx.known.set(key, row)
  return row ?? null
}

/** Creates the instance of a share, empty, and notes when its table becomes a shared one. */
export const createInstance = async (tx: Tx, share: InstanceCommit, slice: Slice): Promise<InstanceRow> => {
  const { bindings, hash, key, node, table } = share.instance
  for (const [other, row] of tx.known) if (row.table === table && !row.shared) tx.known.delete(other)
  await later(
    tx,
    `update espalier.tables set shared = true where name = $1 and not shared
       and exists (select 1 from espalier.instances where table_name = $1)`,
    [table],
  )
  await later(
    tx,
    `insert into espalier.instances (key, node, table_name, bindings, hash, slice)
       values ($1, $2, $3, $4::text::jsonb, $5, $6::text::jsonb)`,
    [key, node, table, JSON.stringify(bindings), hash, JSON.stringify(slice)],
  )
  const created = await loadInstance(tx, key)
  if (created === null) throw new Error(`instance ${key} vanished while it was created`)
  return created
}

/**
 * A share of the log moved the instance on, and nothing else is new: the same node and the same definition, whose hash knows the
 * bindings. A row that was never written has no handle.
 */
const onlyAdvances = (known: InstanceRow, row: InstanceRow): boolean =>
  known.handle !== null &&
  known.node === row.node &&
  known.handle === row.handle &&
  known.hash === row.hash &&
  known.tagsDoubtful === row.tagsDoubtful &&
  known.staging === row.staging &&
  known.stageHandle === row.stageHandle &&
  known.pending === row.pending &&
  known.swapped === row.swapped

/** Writes back where an instance stands after a share. */
export const saveInstance = async (tx: Tx, share: InstanceCommit, row: InstanceRow): Promise<void> => {
  const { bindings, node } = share.instance
  const known = tx.known.get(share.instance.key)
  tx.known.set(share.instance.key, row)
  if (known !== undefined && onlyAdvances(known, row)) {
    await later(
      tx,
      `update espalier.instances set log_offset = $2, last_up_to_date = $3, held = $4, complete = $5, pos_lsn = $6, pos_op = $7,
         pos_txid = $8, snapshot = $9 where id = $1`,
      [
        row.id,
        row.offset,
        row.lastUpToDateAt,
        row.rows,
        row.complete,
        row.lsn,
        row.op,
        row.txid,
        row.snapshot,
      ],
    )
    return
  }
  await later(
    tx,
    `update espalier.instances set node = $2, bindings = $3::text::jsonb, hash = $4, handle = $5, log_offset = $6, complete = $7,
       last_up_to_date = $8, tags_doubtful = $9, staging = $10, stage_handle = $11, pending_snapshot = $12, held = $13, swapped = $14,
       pos_lsn = $15, pos_op = $16, pos_txid = $17, snapshot = $18
     where id = $1`,
    [
      row.id,
      node,
      JSON.stringify(bindings),
      row.hash,
      row.handle,
      row.offset,
      row.complete,
      row.lastUpToDateAt,
      row.tagsDoubtful,
      row.staging,
      row.stageHandle,
      row.pending,
      row.rows,
      row.swapped,
      row.lsn,
      row.op,
      row.txid,
      row.snapshot,
    ],
  )
}

/** Every instance as the port reports it. */
export const storedInstances = async (tx: Tx): Promise<ReadonlyArray<StoredInstance>> => {
  const rows = await select<{
    readonly key: string
    readonly node: string
    readonly table: string
    readonly bindings: string
    readonly hash: string
    readonly handle: string | null
    readonly offset: string | null
    readonly complete: boolean
    readonly lastUpToDateAt: number | null
    readonly doubtful: boolean
    readonly rows: number
  }>(
    tx,
    `select key, node, table_name as "table", bindings::text as bindings, hash, handle, log_offset as "offset", complete,
       last_up_to_date as "lastUpToDateAt", tags_doubtful as doubtful, held as rows from espalier.instances order by id`,
  )
  return rows.map(({ bindings, doubtful, handle, offset, ...rest }) => ({
    ...rest,
    bindings: JSON.parse(bindings) as StoredInstance["bindings"],
    checkpoint: handle === null || offset === null || doubtful ? null : { handle, offset },
  }))
}

/** Stores what a snapshot saw and returns its id; `pending` until its `snapshot-end` comes. */
export const createSnapshot = async (tx: Tx, visibility: Visibility): Promise<number> => {
  const known = typeof visibility === "string" ? null : visibility
  const [row] = await select<{ readonly id: number }>(
    tx,
    `insert into espalier.snapshots (state, seen_xmin, seen_xmax, seen_xip) values ($1, $2, $3, $4::text[]) returning id`,
    [
      known === null ? visibility : "known",
      known?.xmin ?? null,
      known?.xmax ?? null,
      known?.xip_list ?? null,
    ],
  )
  if (row === undefined) throw new Error("a snapshot was stored without an id")
  return row.id
}

/** An open snapshot learns what it saw; every row it read is ranked from now on. */
export const closeSnapshot = async (tx: Tx, id: number, visibility: Visibility): Promise<void> => {
  const known = typeof visibility === "string" ? null : visibility
  await later(
    tx,
    `update espalier.snapshots set state = $2, seen_xmin = $3, seen_xmax = $4, seen_xip = $5::text[] where id = $1`,
    [
      id,
      known === null ? visibility : "known",
      known?.xmin ?? null,
      known?.xmax ?? null,
      known?.xip_list ?? null,
    ],
  )
}
