/**
 * Applies one share of a commit to the memory state: append, stage or swap, with provenance, tags and version order. The
 * model that the PGlite store is checked against, so it is written for reading, row by row. Called by `MemoryLocalStore.ts`.
 */
import type { InstanceCommit } from "../../ports/LocalStore.ts"
import { isEvent, type TextRow } from "../../protocol/Message.ts"
import type { InstanceKey } from "../../protocol/Shape.ts"
import { fold, type Folded, movePatterns, type Put, type RowChange, unknownRow } from "../store/fold.ts"
import { canonicalPlain, checkText, encodeKey, type RowKey, ShareRejected } from "../store/rowKey.ts"
import { continuesStage, effectiveMode, repeatsSwap } from "../store/shareMode.ts"
import { matches, type TagState } from "../store/tags.ts"
import { judge, type RowVersion, type Verdict, type Visibility } from "../store/version.ts"
import {
  clear,
  hold,
  type Journal,
  type MemoryInstance,
  type MemoryState,
  type MemoryTable,
  put,
  release,
  remove,
  writeCell,
} from "./memoryState.ts"

/** One share being applied. `instance` is replaced as it changes; its maps stay the same objects. */
interface Applying {
  readonly state: MemoryState
  readonly journal: Journal
  readonly table: MemoryTable
  readonly share: InstanceCommit
  instance: MemoryInstance
}

/** Applies a share. Returns the rows the instance then holds. @throws ShareRejected, after which the journal must be rolled back */
export const applyShare = (
  state: MemoryState,
  journal: Journal,
  share: InstanceCommit,
  now: number,
): number => {
  const table = state.tables.get(share.instance.table)
  if (table === undefined) throw new ShareRejected("row", `the graph has no table ${share.instance.table}`)
  const former = state.instances.get(share.instance.key)
  if (former !== undefined && former.table !== share.instance.table) collectInstance(state, journal, former)
  const held = state.instances.get(share.instance.key) ?? null
  const known = held === null ? null : { ...held, rows: held.held.size }
  if (held !== null && known !== null && repeatsSwap(known, share)) return held.held.size
  const mode = effectiveMode(known, share)
  const applying: Applying = { state, journal, table, share, instance: held ?? newInstance(share) }
  if (mode !== "append") beginStage(applying)
  if (applying.instance.tagsDoubtful && share.messages.some(isEvent)) {
    throw new ShareRejected("unknown-row", "a move names rows by tags that are not stored")
  }
  const folded = foldShare(applying, mode)
  closeSnapshot(applying, folded, mode)
  for (const [key, change] of folded.changes) {
    if (mode === "append") applyChange(applying, key, change)
    else stageChange(applying, key, change)
  }
  if (mode === "swap") swapStage(applying)
  finish(applying, folded, mode, now, held?.staging === true)
  return applying.instance.held.size
}

/** Drops an instance and every row that no other instance holds. */
export const collectInstance = (state: MemoryState, journal: Journal, instance: MemoryInstance): void => {
  const table = state.tables.get(instance.table)
  if (table !== undefined) for (const key of [...instance.held.keys()]) release(journal, table, instance, key)
  if (table !== undefined && instance.pending !== null) {
    revise(journal, table, instance.pending, { _tag: "Snapshot", visibility: "unknown" })
  }
  if (table !== undefined) disown(journal, table, instance.key)
  remove(journal, state.instances, instance.key)
}

/** A later instance of the same key is another one: it must not take these values for its own. */
const disown = (journal: Journal, table: MemoryTable, writer: InstanceKey): void => {
  for (const [key, cell] of table.rows)
    if (cell.writer === writer) put(journal, table.rows, key, { ...cell, writer: "" })
}

const newInstance = (share: InstanceCommit): MemoryInstance => ({
  key: share.instance.key,
  node: share.instance.node,
  table: share.instance.table,
  bindings: share.instance.bindings,
  hash: share.instance.hash,
  handle: null,
  offset: null,
  complete: false,
  lastUpToDateAt: null,
  tagsDoubtful: false,
  staging: false,
  stageHandle: null,
  swapped: false,
  pending: null,
  held: new Map(),
  stage: new Map(),
  waiting: new Map(),
})

/** The readable checkpoint is void from the first staged row on; a stage of another handle is forgotten. */
const beginStage = (applying: Applying): void => {
  const { instance, journal, share, table } = applying
  if (continuesStage(instance, share)) return
  clear(journal, instance.stage)
  clear(journal, instance.waiting)
  if (instance.pending !== null)
    revise(journal, table, instance.pending, { _tag: "Snapshot", visibility: "unknown" })
  applying.instance = {
    ...instance,
    hash: share.instance.hash,
    handle: null,
    offset: null,
    tagsDoubtful: false,
    staging: true,
    stageHandle: share.checkpoint.handle,
    pending: null,
  }
}

const foldShare = (applying: Applying, mode: InstanceCommit["mode"]): Folded => {
  const { instance, share, table } = applying
  const heldTags = new Map<RowKey, TagState>()
  const patterns = movePatterns(share.messages)
  const candidates: Iterable<readonly [RowKey, TagState | null]> =
    mode === "append" ? instance.held : [...instance.stage].map(([key, row]) => [key, row.tags] as const)
  if (patterns.length > 0) {
    for (const [key, tags] of candidates) {
      if (tags !== null && patterns.some((pattern) => matches(tags, pattern))) heldTags.set(key, tags)
    }
  }
  return fold({
    table: table.def,
    messages: share.messages,
    canonical: canonicalPlain,
    tagged: share.instance.tagged,
    upToDate: share.upToDate,
    heldTags,
  })
}

/** Rows of earlier shares that waited for this share's `snapshot-end` (or its up-to-date) are ranked now. */
const closeSnapshot = (applying: Applying, folded: Folded, mode: InstanceCommit["mode"]): void => {
  const { instance, journal, share, table } = applying
  const visibility: Visibility | null = folded.snapshotEnd ?? (share.upToDate ? "unknown" : null)
  const { pending } = instance
  if (pending === null || visibility === null) return
  const version = { _tag: "Snapshot", visibility } as const
  applying.instance = { ...instance, pending: null }
  if (mode !== "append") {
    for (const [key, row] of instance.stage)
      if (row.version === pending) put(journal, instance.stage, key, { ...row, version })
    return
  }
  revise(journal, table, pending, version)
  for (const [key, values] of [...instance.waiting]) {
    if (verdictOf(applying, key, version) === "write") writeRow(applying, key, values, version)
  }
  clear(journal, instance.waiting)
}

/** Rows read by a snapshot that was still open learn what it saw. */
const revise = (journal: Journal, table: MemoryTable, from: RowVersion, to: RowVersion): void => {
  for (const [key, cell] of table.rows)
    if (cell.version === from) put(journal, table.rows, key, { ...cell, version: to })
}

const applyChange = (applying: Applying, key: RowKey, change: RowChange): void => {
  const { instance, journal, table } = applying
  if (change._tag === "Drop") {
    release(journal, table, instance, key)
    return
  }
  if (change._tag === "Patch" && !instance.held.has(key)) throw unknownRow(table.def, change.key)
  const values = checked(table, change.values)
  if (change.version !== null) {
    const version = own(applying, change.version)
    const verdict = verdictOf(applying, key, version)
    if (verdict === "write") writeRow(applying, key, values, version)
    if (verdict === "wait") put(journal, instance.waiting, key, values)
  }
  hold(
    journal,
    table,
    instance,
    key,
    change.tags ?? (change._tag === "Patch" ? (instance.held.get(key) ?? null) : null),
  )
}

const verdictOf = (applying: Applying, key: RowKey, version: RowVersion): Verdict => {
  const cell = applying.table.rows.get(key)
  return cell === undefined || cell.writer === applying.instance.key ? "write" : judge(version, cell.version)
}

/** Writes a row; a value of another instance that its own `snapshot-end` may still rank higher is kept aside for it. */
const writeRow = (applying: Applying, key: RowKey, values: TextRow, version: RowVersion): void => {
  const { instance, journal, state, table } = applying
  const cell = table.rows.get(key)
  if (cell !== undefined && cell.writer !== instance.key && cell.version._tag === "Snapshot") {
    const writer = state.instances.get(cell.writer)
    if (cell.version.visibility === "pending" && writer?.held.has(key) === true)
      put(journal, writer.waiting, key, cell.values)
  }
  writeCell(journal, table, key, values, version, instance.key)
}

/** An open snapshot is one object per instance, so that its rows can be found when it closes. */
const own = (applying: Applying, version: RowVersion): RowVersion => {
  if (version._tag === "Log" || version.visibility !== "pending") return version
  const pending = applying.instance.pending ?? { _tag: "Snapshot", visibility: "pending" }
  applying.instance = { ...applying.instance, pending }
  return pending
}

const stageChange = (applying: Applying, key: RowKey, change: RowChange): void => {
  const { instance, journal, table } = applying
  if (change._tag === "Drop") {
    remove(journal, instance.stage, key)
    return
  }
  const known = instance.stage.get(key)
  if (change._tag === "Put") put(journal, instance.stage, key, stagedPut(applying, change))
  else {
    if (known === undefined) throw unknownRow(table.def, change.key)
    put(journal, instance.stage, key, {
      values: { ...known.values, ...checked(table, change.values) },
      version: change.version === null ? known.version : own(applying, change.version),
      tags: change.tags ?? known.tags,
    })
  }
}

const stagedPut = (applying: Applying, change: Put) => ({
  values: checked(applying.table, change.values),
  version: own(applying, change.version),
  tags: change.tags,
})

/** The stage becomes the instance's rows; rows that others wrote later keep their values. */
const swapStage = (applying: Applying): void => {
  const { instance, journal, table } = applying
  for (const key of [...instance.held.keys()]) {
    if (!instance.stage.has(key)) release(journal, table, instance, key)
  }
  for (const [key, row] of instance.stage) {
    if (verdictOf(applying, key, row.version) === "write") writeRow(applying, key, row.values, row.version)
    hold(journal, table, instance, key, row.tags)
  }
  clear(journal, instance.stage)
}

const finish = (
  applying: Applying,
  folded: Folded,
  mode: InstanceCommit["mode"],
  now: number,
  wasStaging: boolean,
): void => {
  const { instance, journal, share, state } = applying
  const readable = mode === "stage" ? { handle: null, offset: null } : share.checkpoint
  put(journal, state.instances, instance.key, {
    ...instance,
    ...readable,
    node: share.instance.node,
    bindings: share.instance.bindings,
    hash: share.instance.hash,
    complete: instance.complete || (share.upToDate && mode !== "stage"),
    lastUpToDateAt: share.upToDate && mode !== "stage" ? now : instance.lastUpToDateAt,
    tagsDoubtful: instance.tagsDoubtful || folded.tagsMissing,
    swapped: mode === "swap" && wasStaging,
    ...(mode === "swap" ? { staging: false, stageHandle: null } : {}),
  })
}

/** Values in the spelling Postgres would give them back. @throws ShareRejected for what Postgres would refuse */
const checked = (table: MemoryTable, values: TextRow): TextRow =>
  Object.fromEntries(
    Object.entries(values).map(([column, text]) => {
      const type = table.def.columns[column]?.type ?? "text"
      if (text === null) return [column, text]
      checkText(type, column, text)
      return [column, canonicalPlain(type, text)]
    }),
  )

/** The encoded key of a row given as key texts in any spelling. */
export const keyOf = (table: MemoryTable, texts: ReadonlyArray<string>): RowKey =>
  encodeKey(
    texts.map((text, index) =>
      canonicalPlain(table.def.columns[table.def.primaryKey[index] ?? ""]?.type ?? "text", text),
    ),
  )
