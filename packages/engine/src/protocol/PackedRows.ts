/**
 * Rows of a snapshot that still lie in the bytes they came in. Exists because a first snapshot is most of what a client ever
 * receives, and an object per row and a string per value cost more than the database's own work. Only a body of nothing but plain
 * inserts is packed; everything else travels as messages. A type and its reader, no I/O; made by the Electric adapter, read by stores.
 */
import type { ControlMessage, Message, TextRow } from "./Message.ts"

/** A value is NULL when its start is this. */
export const nullSpan = -1

export interface PackedRows {
  /** A JSON array of messages as it came: checked, and UTF-8. */
  readonly bytes: Uint8Array
  /** Columns of every row, in the order they were sent. */
  readonly columns: ReadonlyArray<string>
  /** Number of rows. */
  readonly count: number
  /**
   * Two numbers per row and column, rows one after the other: where the value's text begins and ends between its quotes. The start is
   * {@link nullSpan} for NULL; the end is `~end` when the text has JSON escapes.
   */
  readonly spans: Int32Array
  /** The snapshot-end that closes the body, if one does. */
  readonly snapshotEnd: ControlMessage | null
  /** The same body as messages; decoded when first asked. */
  readonly messages: () => ReadonlyArray<Message>
}

/** What a batch or a share carries: messages, and the same as packed rows when they came as such. */
export interface Content {
  readonly messages: ReadonlyArray<Message>
  /** Reading `messages` unpacks them, so ask here first. */
  readonly packed?: PackedRows
}

/** The content of packed rows; its messages are made when asked for. */
export const packedContent = (packed: PackedRows): Content => ({
  packed,
  get messages() {
    return packed.messages()
  },
})

/** Facts with content beside them; the messages stay unmade. */
export const withContent = <Facts extends object>(facts: Facts, content: Content): Facts & Content =>
  content.packed === undefined
    ? { ...facts, messages: content.messages }
    : Object.assign(packedContent(content.packed), facts)

/** Number of messages, without unpacking any. */
export const contentSize = (content: Content): number =>
  content.packed === undefined
    ? content.messages.length
    : content.packed.count + (content.packed.snapshotEnd === null ? 0 : 1)

// A value may begin with what looks like a byte order mark.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** A value's text. */
export const packedText = (packed: PackedRows, row: number, column: number): string | null => {
  const at = (row * packed.columns.length + column) * 2
  const start = packed.spans[at] ?? nullSpan
  return start === nullSpan ? null : textAt(packed.bytes, start, packed.spans[at + 1] ?? start)
}

/** The text of a span. */
export const textAt = (bytes: Uint8Array, start: number, end: number): string =>
  end >= 0
    ? decoder.decode(bytes.subarray(start, end))
    : // With its quotes, which lie around it.
      (JSON.parse(decoder.decode(bytes.subarray(start - 1, ~end + 1))) as string)

/** A row as a message would carry it. */
export const packedRow = (packed: PackedRows, row: number): TextRow =>
  Object.fromEntries(packed.columns.map((name, column) => [name, packedText(packed, row, column)]))
