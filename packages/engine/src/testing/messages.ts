/**
 * Builders for messages and batches as they come off the wire, so that a test states only what it is about. Exists because a
 * hand-written log entry has eight fields of which two matter. Pure; used by tests, scripted sources and fake servers, never by
 * the engine itself.
 */
import {
  type ChangeHeaders,
  type ChangeMessage,
  type ControlMessage,
  type EventMessage,
  isChange,
  type Message,
  type MovePattern,
  type TextRow,
} from "../protocol/Message.ts"
import { Control, MoveEvent, Operation } from "../protocol/constants.ts"
import type { Batch, MustRefetch, SourceSignal } from "../ports/ShapeSource.ts"

/** What a change may carry besides its row. Without `lsn` it is a snapshot or move-in row, as on the wire. */
export interface ChangeOptions {
  /** Commit LSN, decimal; a log entry has one. */
  readonly lsn?: string | number
  /** Position in the transaction. Default 0 for log entries. */
  readonly op?: number
  /** 32-bit transaction id. Default 1 for log entries. */
  readonly txid?: number
  readonly last?: boolean
  readonly tags?: ReadonlyArray<string>
  readonly removedTags?: ReadonlyArray<string>
  readonly activeConditions?: ReadonlyArray<boolean>
  readonly moveIn?: boolean
  /** Opaque key text. Default: made from `id`, or from the first column. */
  readonly key?: string
}

/** An `insert`: a snapshot row without `lsn`, a log entry with it. */
export const insert = (table: string, row: TextRow, options: ChangeOptions = {}): ChangeMessage =>
  change(Operation.insert, table, row, options)

/** An `update`: primary key and changed columns, as `replica=default` sends it. */
export const update = (table: string, row: TextRow, options: ChangeOptions = {}): ChangeMessage =>
  change(Operation.update, table, row, options)

/** A `delete`: primary key only, as `replica=default` sends it. */
export const del = (table: string, row: TextRow, options: ChangeOptions = {}): ChangeMessage =>
  change(Operation.delete, table, row, options)

/** A `move-out` event: every row tagged `value` at `pos` loses that condition. */
export const moveOut = (patterns: ReadonlyArray<MovePattern>, txid = 1): EventMessage => ({
  headers: { event: MoveEvent.moveOut, patterns, txids: [txid] },
})

/** A `move-in` event: held rows tagged `value` at `pos` gain that condition; new rows follow as inserts with `moveIn`. */
export const moveIn = (patterns: ReadonlyArray<MovePattern>, txid = 1): EventMessage => ({
  headers: { event: MoveEvent.moveIn, patterns, txids: [txid] },
})

/** The end of a snapshot or of a non-empty move-in, with what the snapshot saw. */
export const snapshotEnd = (
  visibility: {
    readonly xmin?: string
    readonly xmax?: string
    readonly xip_list?: ReadonlyArray<string>
  } = {},
): ControlMessage => ({
  headers: {
    control: Control.snapshotEnd,
    xmin: visibility.xmin ?? "1",
    xmax: visibility.xmax ?? "1",
    xip_list: visibility.xip_list ?? [],
  },
})

/** One whole response. `handle` defaults to `handle-1`, `messages` to none, `upToDate` to true. */
export const batch = (options: {
  readonly handle?: string
  readonly offset: string
  readonly messages?: ReadonlyArray<Message>
  readonly upToDate?: boolean
  readonly lastSeenLsn?: string | null
  readonly bytes?: number
}): Batch => ({
  _tag: "Batch",
  checkpoint: { handle: options.handle ?? "handle-1", offset: options.offset },
  messages: options.messages ?? [],
  upToDate: options.upToDate ?? true,
  lastSeenLsn: options.lastSeenLsn ?? null,
  bytes: options.bytes ?? 0,
})

/** The handle is void; the new handle's batches follow. */
export const mustRefetch: MustRefetch = { _tag: "MustRefetch" }

/** A signal without rows. */
export const signal = (name: SourceSignal["signal"]): SourceSignal => ({ _tag: "Signal", signal: name })

/** The message as the last one of its transaction; only changes say so. */
export const markedLast = (message: Message): Message =>
  isChange(message) ? { ...message, headers: { ...message.headers, last: true } } : message

const change = (
  operation: ChangeHeaders["operation"],
  table: string,
  row: TextRow,
  options: ChangeOptions,
): ChangeMessage => ({
  key: options.key ?? defaultKey(table, row),
  value: row,
  headers: {
    operation,
    relation: ["public", table],
    ...(options.lsn === undefined
      ? {}
      : { lsn: String(options.lsn), op_position: options.op ?? 0, txids: [options.txid ?? 1] }),
    ...(options.last === undefined ? {} : { last: options.last }),
    ...(options.tags === undefined ? {} : { tags: options.tags }),
    ...(options.removedTags === undefined ? {} : { removed_tags: options.removedTags }),
    ...(options.activeConditions === undefined ? {} : { active_conditions: options.activeConditions }),
    ...(options.moveIn === true ? { is_move_in: true } : {}),
  },
})

const defaultKey = (table: string, row: TextRow): string => {
  const id = row["id"] ?? Object.values(row)[0] ?? null
  return `"public"."${table}"/${id === null ? "_" : `"${id.replaceAll("/", "//")}"`}`
}
