/**
 * Offsets of a shape log: `-1`, `now`, `<tx>_<op>`, `<tx>_inf`. `0_n` is snapshot chunk n, `0_inf` the end of the snapshot.
 * Exclusive lower bounds; compared pair by pair. Pure.
 */

/** A place in a shape's log. `op` is `Infinity` for `inf`. */
export interface Offset {
  readonly tx: number
  readonly op: number
}

/** The end of every snapshot, before the first transaction. */
export const snapshotEnd: Offset = { tx: 0, op: Number.POSITIVE_INFINITY }

/** Before everything: the offset `-1`. */
export const beforeAll: Offset = { tx: -1, op: 0 }

/** Negative, zero or positive, as `a` is before, at or after `b`. */
export const compareOffsets = (a: Offset, b: Offset): number =>
  a.tx === b.tx ? (a.op === b.op ? 0 : a.op < b.op ? -1 : 1) : a.tx - b.tx

/** As the wire spells it. */
export const formatOffset = (offset: Offset): string =>
  offset.tx < 0 ? "-1" : `${offset.tx}_${offset.op === Number.POSITIVE_INFINITY ? "inf" : offset.op}`

/** What a request's `offset` says; `null` when its spelling is wrong. A leading `+` is tolerated, as Electric does. */
export const parseOffset = (text: string): Offset | "now" | null => {
  if (text === "now") return "now"
  if (text === "-1" || text === "-1_0") return beforeAll
  const match = /^(\+?[0-9]+)_(\+?[0-9]+|inf)$/u.exec(text)
  if (match === null) return null
  return { tx: Number(match[1]), op: match[2] === "inf" ? Number.POSITIVE_INFINITY : Number(match[2]) }
}

/** The offset of a message that belongs to no operation of its own: one more than the last (protocol reference §3.4). */
export const nextSynthetic = (last: Offset): Offset =>
  last.tx <= 0 ? { tx: 1, op: 0 } : { tx: last.tx, op: last.op + 1 }
