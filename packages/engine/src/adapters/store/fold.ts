/**
 * Folds the messages of one share into at most one change per row, in log order: insert, update, delete, move events and
 * tags. Exists so that a batch becomes a few set-based statements, and so that both local stores mean the same by a batch.
 * Pure and synchronous; it knows the rows an instance holds only through the tag states it is given.
 */
import type { TableDef } from "../../graph/Table.ts"
import type { ChangeMessage, EventMessage, Message, MovePattern, TextRow } from "../../protocol/Message.ts"
import { isChange, isControl, isEvent, isMoveOut, isSnapshotEnd } from "../../protocol/Message.ts"
import { Operation } from "../../protocol/constants.ts"
import { type Canonical, decodeKey, encodeKey, keyTextsOf, type RowKey, ShareRejected } from "./rowKey.ts"
import { isVisible, makeTagIndex, type TagIndex, type TagState, tagStateOf, withCondition } from "./tags.ts"
import {
  logVersionOf,
  type RowVersion,
  type SnapshotVersion,
  type Visibility,
  visibilityOf,
} from "./version.ts"

/** The row is held from here on, with these values; columns that were not sent are absent. */
export interface Put {
  readonly _tag: "Put"
  readonly key: ReadonlyArray<string>
  readonly values: TextRow
  readonly version: RowVersion
  readonly tags: TagState | null
}

/** The row must be held already; only these columns change. `version` null: its tags change, its values do not. */
export interface Patch {
  readonly _tag: "Patch"
  readonly key: ReadonlyArray<string>
  readonly values: TextRow
  readonly version: RowVersion | null
  /** Null leaves the stored tags as they are. */
  readonly tags: TagState | null
}

/** The instance holds the row no longer. */
export interface Drop {
  readonly _tag: "Drop"
  readonly key: ReadonlyArray<string>
}

export type RowChange = Put | Patch | Drop

export interface FoldInput {
  readonly table: TableDef
  readonly messages: ReadonlyArray<Message>
  readonly canonical: Canonical
  /** The shape has a subquery, so every row must carry tags. */
  readonly tagged: boolean
  /** The messages end with up-to-date: a snapshot still open then will never be ranked. */
  readonly upToDate: boolean
  /** Tag states of held rows that an event of these messages may touch ({@link movePatterns}). */
  readonly heldTags: ReadonlyMap<RowKey, TagState>
}

export interface Folded {
  /** At most one change per row, in order of first mention. */
  readonly changes: ReadonlyMap<RowKey, RowChange>
  /** What the first `snapshot-end` states, for rows of earlier shares that still wait for it. */
  readonly snapshotEnd: Visibility | null
  /** A row of a tagged shape came without tags: a later move cannot be applied from what is stored. */
  readonly tagsMissing: boolean
}

/** Patterns of all move events in the messages. */
export const movePatterns = (messages: ReadonlyArray<Message>): ReadonlyArray<MovePattern> =>
  messages.flatMap((message) => (isEvent(message) ? message.headers.patterns : []))

interface Folding {
  readonly input: FoldInput
  readonly changes: Map<RowKey, RowChange>
  readonly tags: TagIndex
  /** The version of the last snapshot row: rows of one snapshot share it. */
  snapshot: SnapshotVersion | null
  /** Some row has tags; until then the index need not be asked. */
  tagged: boolean
  tagsMissing: boolean
}

/** Folds the messages of one share. @throws ShareRejected for a bad key or an update of a row that left within the share. */
export const fold = (input: FoldInput): Folded => {
  const folding: Folding = {
    input,
    changes: new Map(),
    tags: makeTagIndex(),
    snapshot: null,
    tagged: input.heldTags.size > 0,
    tagsMissing: false,
  }
  for (const [key, state] of input.heldTags) folding.tags.set(key, state)
  const closings = closingVisibility(input)
  for (const [index, message] of input.messages.entries()) {
    if (isChange(message)) foldChange(folding, message, closings[index] ?? "pending")
    else if (isEvent(message)) foldEvent(folding, message)
  }
  const end = input.messages.find((message) => isControl(message) && isSnapshotEnd(message))
  return {
    changes: folding.changes,
    snapshotEnd: end !== undefined && isControl(end) ? visibilityOf(end) : null,
    tagsMissing: folding.tagsMissing,
  }
}

/** For each message, the visibility of the snapshot that closes after it: rows without an LSN belong to the next `snapshot-end`. */
const closingVisibility = (input: FoldInput): ReadonlyArray<Visibility> => {
  const closings: Array<Visibility> = []
  let current: Visibility = input.upToDate ? "unknown" : "pending"
  for (let index = input.messages.length - 1; index >= 0; index--) {
    const message = input.messages[index]
    if (message !== undefined && isControl(message) && isSnapshotEnd(message)) current = visibilityOf(message)
    closings[index] = current
  }
  return closings
}

const foldChange = (folding: Folding, message: ChangeMessage, closing: Visibility): void => {
  const { table, canonical } = folding.input
  const texts = keyTextsOf(table, message.value, canonical)
  const key = encodeKey(texts)
  if (message.headers.operation === Operation.delete) {
    folding.tags.remove(key)
    folding.changes.set(key, { _tag: "Drop", key: texts })
    return
  }
  const version = versionOf(folding, message, closing)
  if (message.headers.operation === Operation.insert) {
    const tags =
      message.headers.tags === undefined
        ? null
        : tagStateOf(message.headers.tags, message.headers.active_conditions)
    if (tags === null && folding.input.tagged) folding.tagsMissing = true
    setTags(folding, key, tags)
    folding.changes.set(key, {
      _tag: "Put",
      key: texts,
      values: declared(table, message.value),
      version,
      tags,
    })
    return
  }
  foldUpdate(folding, message, key, texts, version)
}

const foldUpdate = (
  folding: Folding,
  message: ChangeMessage,
  key: RowKey,
  texts: ReadonlyArray<string>,
  version: RowVersion,
): void => {
  const { table } = folding.input
  const known = folding.changes.get(key)
  if (known?._tag === "Drop") throw unknownRow(table, texts)
  const sent =
    message.headers.tags === undefined
      ? null
      : tagStateOf(message.headers.tags, message.headers.active_conditions)
  if (sent !== null) setTags(folding, key, sent)
  const values = declared(table, message.value)
  const tags = sent ?? known?.tags ?? null
  if (known?._tag === "Put") {
    folding.changes.set(key, { ...known, values: { ...known.values, ...values }, version, tags })
    return
  }
  const changed = withoutKey(table, values)
  folding.changes.set(key, {
    _tag: "Patch",
    key: texts,
    values: known === undefined ? changed : { ...known.values, ...changed },
    version,
    tags,
  })
}

/** A loop, because a list of entries in between costs several times as much, and this is done for every update. */
const withoutKey = (table: TableDef, row: TextRow): TextRow => {
  const rest: Record<string, string | null> = {}
  for (const column in row) if (!table.primaryKey.includes(column)) rest[column] = row[column] ?? null
  return rest
}

const foldEvent = (folding: Folding, message: EventMessage): void => {
  const enters = !isMoveOut(message)
  const touched = new Set<RowKey>()
  for (const pattern of message.headers.patterns) {
    for (const key of folding.tags.find(pattern)) {
      const state = folding.tags.get(key)
      if (state === undefined) continue
      folding.tags.set(key, withCondition(state, pattern.pos, enters))
      touched.add(key)
    }
  }
  for (const key of touched) {
    const state = folding.tags.get(key)
    if (state === undefined) continue
    if (!isVisible(state)) {
      folding.tags.remove(key)
      folding.changes.set(key, { _tag: "Drop", key: decodeKey(key) })
      continue
    }
    const known = folding.changes.get(key)
    folding.changes.set(
      key,
      known === undefined || known._tag === "Drop"
        ? { _tag: "Patch", key: decodeKey(key), values: {}, version: null, tags: state }
        : { ...known, tags: state },
    )
  }
}

const setTags = (folding: Folding, key: RowKey, tags: TagState | null): void => {
  if (tags === null && !folding.tagged) return
  if (tags === null) folding.tags.remove(key)
  else {
    folding.tagged = true
    folding.tags.set(key, tags)
  }
}

const versionOf = (folding: Folding, message: ChangeMessage, closing: Visibility): RowVersion => {
  try {
    const logged = logVersionOf(message.headers)
    if (logged !== null) return logged
    if (folding.snapshot?.visibility !== closing) folding.snapshot = { _tag: "Snapshot", visibility: closing }
    return folding.snapshot
  } catch {
    throw new ShareRejected(
      "row",
      `the change of ${message.key} has no valid LSN: ${String(message.headers.lsn)}`,
    )
  }
}

/** Columns the table declares; a renamed or new column of the server is tolerated until the refetch it causes. */
const declared = (table: TableDef, row: TextRow): TextRow => {
  for (const column in row) {
    if (!Object.hasOwn(table.columns, column)) {
      return Object.fromEntries(Object.entries(row).filter(([name]) => Object.hasOwn(table.columns, name)))
    }
  }
  return row
}

/** The refusal of an update whose row the instance does not hold. */
export const unknownRow = (table: TableDef, key: ReadonlyArray<string>): ShareRejected =>
  new ShareRejected(
    "unknown-row",
    `table ${table.name}: the update of row (${key.join(", ")}) names a row that is not held`,
  )
