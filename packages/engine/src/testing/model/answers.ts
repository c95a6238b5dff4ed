/**
 * How a shape's logs answer one request: which chunk, which stretch of log, whether it ends up to date, or that the handle is
 * void (protocol reference §0, §3.4, §3.5). And the reverse, for invariants: what a reader holds who stands at a checkpoint. Pure.
 */
import type { RowKey } from "../../adapters/store/rowKey.ts"
import type { Message } from "../../protocol/Message.ts"
import type { Checkpoint } from "../../protocol/Checkpoint.ts"
import type { Instance } from "../../protocol/Shape.ts"
import type { Seeded } from "../random.ts"
import type { ShapeLog } from "./ShapeLog.ts"

export interface ShapeRequest {
  readonly instance: Instance
  /** Null with offset `-1`. */
  readonly handle: string | null
  readonly offset: string
  readonly live: boolean
  /** Asks past every cache. */
  readonly fresh: boolean
}

export type Answer =
  | {
      readonly _tag: "Log"
      readonly checkpoint: Checkpoint
      readonly messages: ReadonlyArray<Message>
      readonly upToDate: boolean
    }
  /** 409; or the client itself lost its place (`lost`), and the handle may still be good. */
  | { readonly _tag: "Void"; readonly lost: boolean }

export interface ReadOptions {
  readonly snapshotChunk: number
  readonly logChunk: number
  /** A cache answers: an older handle for a start, an older end for a log. */
  readonly stale: boolean
  /** Delivers what the last transaction before the offset wrote once more. */
  readonly repeat: boolean
  readonly random: Seeded
}

const startOffset = "-1"
const endOfSnapshot = "0_inf"

/** Answers a request from all logs a shape ever had, the current one last. */
export const read = (logs: ReadonlyArray<ShapeLog>, request: ShapeRequest, options: ReadOptions): Answer => {
  const current = logs.at(-1)
  if (current === undefined) return { _tag: "Void", lost: false }
  if (request.offset === startOffset) {
    const older = logs.at(-2)
    return chunk(options.stale && older !== undefined ? older : current, 0, options)
  }
  if (request.handle !== current.handle) return { _tag: "Void", lost: false }
  const [tx = "", op = ""] = request.offset.split("_")
  if (tx !== "0") return stretch(current, request, { tx: Number(tx), op: Number(op) }, options)
  const next = op === "inf" ? chunks(current, options) : Number(op) + 1
  return next < chunks(current, options)
    ? chunk(current, next, options)
    : stretch(current, request, { tx: 0, op: Number.POSITIVE_INFINITY }, options)
}

const chunks = (log: ShapeLog, { snapshotChunk }: Pick<ReadOptions, "snapshotChunk">): number =>
  Math.max(1, Math.ceil(log.snapshot.length / snapshotChunk))

const chunk = (log: ShapeLog, index: number, options: ReadOptions): Answer => {
  const from = index * options.snapshotChunk
  const rows = log.snapshotMessages(from, from + options.snapshotChunk)
  const last = index === chunks(log, options) - 1
  return {
    _tag: "Log",
    checkpoint: { handle: log.handle, offset: `0_${index}` },
    messages: last ? [...rows, log.snapshotEnd] : rows,
    upToDate: false,
  }
}

const stretch = (
  log: ShapeLog,
  request: ShapeRequest,
  at: { readonly tx: number; readonly op: number },
  options: ReadOptions,
): Answer => {
  const { entries } = log
  const from = log.indexAfter(at.tx, at.op)
  // What a poll repeats is what it repeats with something new: an idle one has nothing to say.
  const repeated = options.repeat && from < entries.length ? log.indexAfter(at.tx, -1) : from
  const known = options.stale ? olderEnd(log, from, options.random) : entries.length
  const end = Math.min(known, from + options.logChunk)
  log.served = Math.max(log.served, end)
  const last = entries[end - 1]
  const offset = end === from || last === undefined ? unmoved(request.offset) : `${last.tx}_${last.op}`
  return {
    _tag: "Log",
    checkpoint: { handle: log.handle, offset },
    messages: entries.slice(repeated, end).map(({ message }) => message),
    upToDate: end === known,
  }
}

/** Offsets inside the snapshot move on to its end. */
const unmoved = (offset: string): string => (offset.startsWith("0_") ? endOfSnapshot : offset)

/** An end that was the end once. No cache gives back less than it gave before: the same caches are on every request's way. */
const olderEnd = (log: ShapeLog, from: number, random: Seeded): number => {
  const least = Math.max(from, log.served)
  const ends = least === 0 ? [0] : []
  for (let index = Math.max(0, least - 1); index < log.entries.length; index++) {
    if (log.entries[index]?.boundary === true) ends.push(index + 1)
  }
  return ends[random.below(ends.length)] ?? log.entries.length
}

/** What a reader holds at an offset of a log: row → version. Null when the offset is none of this log's. */
export const viewAt = (
  log: ShapeLog,
  offset: string,
  snapshotChunk: number,
): ReadonlyMap<RowKey, number> | null => {
  const [tx = "", op = ""] = offset.split("_")
  const inSnapshot = tx === "0"
  const rows =
    inSnapshot && op !== "inf" ? log.snapshot.slice(0, (Number(op) + 1) * snapshotChunk) : log.snapshot
  const view = new Map(rows.map(({ key, version }) => [key, version.seq]))
  if (inSnapshot) return view
  const end = log.indexAfter(Number(tx), Number(op))
  for (let index = 0; index < end; index++) {
    for (const [key, seq] of log.entries[index]?.effects ?? []) {
      if (seq === null) view.delete(key)
      else view.set(key, seq)
    }
  }
  return view
}
