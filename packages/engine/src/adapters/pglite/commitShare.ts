/**
 * Applies the shares of one commit inside an open transaction, each behind a savepoint: a rejected share leaves nothing and
 * the others go through. Exists to keep the order of a share's steps in one place. Called by `PgliteLocalStore.ts`.
 */
import type { CommitResult, InstanceCommit, InstanceOutcome } from "../../ports/LocalStore.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import { isChange, isEvent, type MovePattern } from "../../protocol/Message.ts"
import { fold, type Folded, movePatterns } from "../store/fold.ts"
import { type Canonical, canonicalPlain, encodeKey, type RowKey, ShareRejected } from "../store/rowKey.ts"
import { effectiveMode, repeatsSwap } from "../store/shareMode.ts"
import type { TagState } from "../store/tags.ts"
import { appendChanges } from "./appendShare.ts"
import { type Applying, endPending } from "./applying.ts"
import { appendPacked, flushCopies, foldPacked, packable } from "./copyPacked.ts"
import { isRowError, sqlState } from "./errors.ts"
import { appendOwn, swapOwnStage } from "./implicitShare.ts"
import { deleteSlice } from "./implicitStatements.ts"
import { type InstanceRow, loadInstance, saveInstance } from "./instanceRows.ts"
import { applyLive } from "./liveShare.ts"
import { addCounts, type Changes, changesOf, forget, type Plans, select, type Tx } from "./session.ts"
import { foldBack } from "./spill.ts"
import { exoticKeys, type TablePlan } from "./sql.ts"
import { settleWaiting } from "./settle.ts"
import { beginStage, canonicalTexts, stageChanges, swapStage } from "./stageShare.ts"
import { collectRows, type Counts, matchingTags } from "./statements.ts"
import { admitInstance, redefineInstance, tableState } from "./tableStates.ts"

/**
 * Applies all shares at once: nothing is asked that need not be, statements are sent together, and any refusal fails the whole
 * transaction. Its caller then takes {@link commitCarefully}. The result is known when the transaction has been committed.
 */
export const commitTogether = async (
  tx: Tx,
  plans: Plans,
  shares: ReadonlyArray<InstanceCommit>,
  now: number,
): Promise<() => CommitResult> => {
  const changes: Changes = new Map()
  const outcomes: Array<InstanceOutcome> = []
  for (const share of shares) {
    const { key, table } = share.instance
    const plan = plans.get(table)
    const live = plan === undefined ? null : applyLive(tx, plan, share, now, changes)
    const rows = live?.rows ?? (await applyShare(tx, plans, share, now, { changes, careful: false }))
    outcomes.push({ _tag: "Committed", key, rows })
  }
  if (tx.copies.length > 0) await flushCopies(tx)
  return () => ({ outcomes, changes: changesOf(changes) })
}

/** Applies all shares, each behind a savepoint. Fails only when the store as a whole does. */
export const commitCarefully = async (
  tx: Tx,
  plans: Plans,
  shares: ReadonlyArray<InstanceCommit>,
  now: number,
): Promise<() => CommitResult> => {
  const changes: Changes = new Map()
  const outcomes: Array<InstanceOutcome> = []
  for (const share of shares) outcomes.push(await isolated(tx, plans, share, now, changes))
  return () => ({ outcomes, changes: changesOf(changes) })
}

const isolated = async (
  tx: Tx,
  plans: Plans,
  share: InstanceCommit,
  now: number,
  changes: Changes,
): Promise<InstanceOutcome> => {
  const { key, table } = share.instance
  const own: Changes = new Map()
  await tx.exec("savepoint share")
  try {
    const rows = await applyShare(tx, plans, share, now, { changes: own, careful: true })
    await tx.exec("release savepoint share")
    for (const [name, counts] of own) addCounts(changes, name, counts)
    return { _tag: "Committed", key, rows }
  } catch (error) {
    tx.raw?.discard()
    forget(tx)
    await tx.exec("rollback to savepoint share; release savepoint share")
    if (error instanceof ShareRejected)
      return { _tag: "Rejected", key, table, kind: error.kind, message: error.message }
    if (!isRowError(error)) throw error
    const message = `table ${table}: ${error instanceof Error ? error.message : String(error)} (${sqlState(error)})`
    return { _tag: "Rejected", key, table, kind: "row", message }
  }
}

const applyShare = async (
  tx: Tx,
  plans: Plans,
  share: InstanceCommit,
  now: number,
  { careful, changes }: Pick<Applying, "careful" | "changes">,
): Promise<number> => {
  const plan = plans.get(share.instance.table)
  if (plan === undefined) throw new ShareRejected("row", `the graph has no table ${share.instance.table}`)
  let held = await loadInstance(tx, share.instance.key)
  if (held !== null && held.table !== share.instance.table) {
    await collectKeys(tx, plans, [share.instance.key], changes)
    held = null
  }
  if (held !== null && repeatsSwap(held, share)) return held.rows
  const mode = effectiveMode(held, share)
  if (held !== null && held.hash !== share.instance.hash) await redefineInstance(tx, plan, share, held)
  const instance = held ?? (await admitInstance(tx, plan, share))
  const state = await tableState(tx, plan)
  const snapshots = new Map<string, number>()
  const applying: Applying = { tx, plan, share, changes, snapshots, careful, counting: false, instance }
  if (mode !== "append") await beginStage(applying)
  const packed = mode === "append" ? packable(applying, state) : null
  if (packed === null) await flushCopies(tx)
  if (packed === null && applying.instance.tagsDoubtful && share.messages.some(isEvent)) {
    throw new ShareRejected("unknown-row", "a move names rows by tags that are not stored")
  }
  const folded = packed === null ? await foldShare(applying, mode) : foldPacked(packed)
  const closing = folded.snapshotEnd ?? (share.upToDate ? "unknown" : null)
  if (applying.instance.pending !== null && closing !== null) {
    await endPending(applying, closing)
    if (mode === "append" && (state.explicit || state.spilled)) await settleWaiting(applying, closing)
  }
  if (packed !== null) await appendPacked(applying, state, packed)
  else if (mode !== "append") await stageChanges(applying, folded.changes.values())
  else if (state.explicit) await appendChanges(applying, folded.changes.values())
  else await appendOwn(applying, state, folded.changes.values())
  if (mode === "swap") await (state.explicit ? swapStage(applying) : swapOwnStage(applying, state))
  if (applying.counting) await tx.raw?.flush()
  await saveInstance(tx, share, standing(applying, folded, mode, now, held?.staging === true))
  return applying.instance.rows
}

const standing = (
  applying: Applying,
  folded: Folded,
  mode: InstanceCommit["mode"],
  now: number,
  wasStaging: boolean,
): InstanceRow => {
  const { instance, share } = applying
  const readable = share.upToDate && mode !== "stage"
  return {
    ...instance,
    ...(mode === "stage" ? { handle: null, offset: null } : share.checkpoint),
    swapped: mode === "swap" && wasStaging,
    ...(mode === "swap" ? { staging: false, stageHandle: null } : {}),
    node: share.instance.node,
    hash: share.instance.hash,
    complete: instance.complete || readable,
    lastUpToDateAt: readable ? now : instance.lastUpToDateAt,
    tagsDoubtful: instance.tagsDoubtful || folded.tagsMissing,
  }
}

const foldShare = async (applying: Applying, mode: InstanceCommit["mode"]): Promise<Folded> => {
  const { plan, share } = applying
  const canonical = await canonicalFor(applying)
  const table = mode === "append" ? plan.held : plan.stage
  return fold({
    table: plan.def,
    messages: share.messages,
    canonical,
    tagged: share.instance.tagged,
    upToDate: share.upToDate,
    heldTags: await heldTags(applying, table, movePatterns(share.messages), canonical),
  })
}

/** Canonical key texts: plain types in JavaScript, the others asked of Postgres once per share. */
const canonicalFor = async (applying: Applying): Promise<Canonical> => {
  const byType = new Map<string, ReadonlyMap<string, string>>()
  const exotic = exoticKeys(applying.plan)
  for (const type of new Set(exotic.map((column) => column.type))) {
    const texts = new Set<string>()
    for (const message of applying.share.messages) {
      if (!isChange(message)) continue
      for (const column of exotic) {
        const text = message.value[column.name]
        if (column.type === type && text !== undefined && text !== null) texts.add(text)
      }
    }
    byType.set(type, texts.size === 0 ? new Map() : await canonicalTexts(applying, type, [...texts]))
  }
  return (type, text) => byType.get(type)?.get(text) ?? canonicalPlain(type, text)
}

/** Tag states of held rows that the share's move events may touch. */
const heldTags = async (
  applying: Applying,
  table: string,
  patterns: ReadonlyArray<MovePattern>,
  canonical: Canonical,
): Promise<ReadonlyMap<RowKey, TagState>> => {
  const { instance, plan, tx } = applying
  const states = new Map<RowKey, TagState>()
  if (patterns.length === 0) return states
  const rows = await select<{ readonly [key: `k${number}`]: string } & TagState>(
    tx,
    matchingTags(plan, table),
    [patterns.map(({ pos }) => pos + 1), patterns.map(({ value }) => value), instance.id],
  )
  for (const row of rows) {
    const key = encodeKey(plan.keys.map((column, index) => canonical(column.type, row[`k${index}`] ?? "")))
    states.set(key, { tags: row.tags, active: row.active })
  }
  return states
}

/** Drops instances and every row that no other instance holds. Returns the keys that existed. */
export const collectKeys = async (
  tx: Tx,
  plans: Plans,
  keys: ReadonlyArray<InstanceKey>,
  changes: Changes,
): Promise<ReadonlyArray<InstanceKey>> => {
  await flushCopies(tx)
  for (const key of keys) tx.known.delete(key)
  const rows = await select<{ readonly id: number; readonly key: string; readonly table: string }>(
    tx,
    `select id, key, table_name as "table" from espalier.instances where key = any($1::text[])`,
    [keys],
  )
  if (rows.length === 0) return []
  const ids = rows.map(({ id }) => id)
  await tx.query(
    `update espalier.snapshots set state = 'unknown' where id in
       (select pending_snapshot from espalier.instances where id = any($1::int4[]))`,
    [ids],
  )
  for (const [table, found] of Map.groupBy(rows, (row) => row.table)) {
    const plan: TablePlan | undefined = plans.get(table)
    if (plan === undefined) continue
    const [counts] = await select<Counts>(tx, collectRows(plan), [found.map(({ id }) => id)])
    addCounts(changes, table, counts ?? {})
    const state = await tableState(tx, plan)
    for (const { id } of found) {
      const slice = state.slices.get(id) ?? {}
      if (!state.explicit) {
        const [dead] = await select<Counts>(tx, deleteSlice(plan, slice), Object.values(slice))
        addCounts(changes, table, dead ?? {})
      }
      state.slices.remove(id)
    }
    await foldBack(tx, plan, state, null)
  }
  await tx.query(`delete from espalier.instances where id = any($1::int4[])`, [ids])
  const existing = new Set(rows.map(({ key }) => key))
  return [...new Set(keys)].filter((key) => existing.has(key))
}
