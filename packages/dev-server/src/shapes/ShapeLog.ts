/**
 * What a shape has told behind its snapshot: messages, each with an offset. Append only; answers "what comes after this
 * offset, up to the next chunk end". Messages are kept as the JSON that goes over the wire. No I/O.
 */
import { compareOffsets, formatOffset, type Offset, snapshotEnd } from "./offset.ts"

/** One message of the log, as JSON. */
export interface Entry {
  readonly offset: Offset
  readonly json: string
}

/** A piece of a shape, as one answer serves it. */
export interface Slice {
  /** JSON messages, without `up-to-date`. */
  readonly messages: ReadonlyArray<string>
  /** Offset of the last thing covered. */
  readonly offset: Offset
  /** Whether nothing lies behind it. */
  readonly isEnd: boolean
}

/** The told part of one shape. */
export class ShapeLog {
  readonly #chunkBytes: number
  readonly #entries: Array<Entry> = []
  /** Index behind the last entry of each full chunk. */
  readonly #chunkEnds: Array<number> = []
  #openBytes = 0
  #bytes = 0

  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes
  }

  /** All of it, for a store. */
  get entries(): ReadonlyArray<Entry> {
    return this.#entries
  }

  /** Bytes of all log entries, for the limit that rotates a shape. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * A number above everything told and below everything to come, or 0. Given to clients of event streams, which come back
   * with it as their offset; so synthetic offsets begin behind it. Changed only together with an append.
   */
  marker = 0

  /** Where synthetic offsets go on. */
  get base(): Offset {
    return this.marker > this.end.tx ? { tx: this.marker, op: 0 } : this.end
  }

  /** Offset of the newest message, `0_inf` while there is none. */
  get end(): Offset {
    return this.#entries.at(-1)?.offset ?? snapshotEnd
  }

  append(entries: ReadonlyArray<Entry>): void {
    for (const entry of entries) {
      const bytes = Buffer.byteLength(entry.json)
      this.#entries.push(entry)
      this.#bytes += bytes
      this.#openBytes += bytes
      if (this.#openBytes < this.#chunkBytes) continue
      this.#chunkEnds.push(this.#entries.length)
      this.#openBytes = 0
    }
  }

  /** What an answer to a request at `offset`, at or behind the end of the snapshot, holds. */
  after(offset: Offset): Slice {
    const from = this.#firstAfter(offset)
    const to = this.#chunkEnds.find((end) => end > from) ?? this.#entries.length
    const entries = this.#entries.slice(from, to)
    return {
      messages: entries.map((entry) => entry.json),
      offset: entries.at(-1)?.offset ?? (offset.tx === 0 ? snapshotEnd : offset),
      isEnd: to === this.#entries.length,
    }
  }

  #firstAfter(offset: Offset): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.#entries[middle]
      if (entry !== undefined && compareOffsets(entry.offset, offset) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The `etag` of an answer. */
export const etagOf = (
  handle: string,
  requested: Offset | "now",
  answered: Offset,
  unique?: string,
): string =>
  `"${handle}:${requested === "now" ? "now" : formatOffset(requested)}:${formatOffset(answered)}${unique === undefined ? "" : `:${unique}`}"`
