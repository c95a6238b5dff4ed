/**
 * A growing buffer of protocol bytes, big-endian. Exists so that a whole commit is one message to the database, written without
 * an object per value. Knows lengths and frames, not what they mean. Called by the encoders and by `RawSession`.
 */
import { refuseUnstorable } from "../../store/rowKey.ts"

const encoder = new TextEncoder()
/** A larger buffer is given back after use: one huge value must not be kept for ever. */
const keptBytes = 8 * 1024 * 1024
/** Up to here a loop over char codes is faster than the runtime's encoder. */
const shortText = 96

export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256 * 1024)
  length = 0

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }

  /** Forgets what was written. */
  clear(): void {
    this.length = 0
    if (this.bytes.length > keptBytes) this.bytes = new Uint8Array(256 * 1024)
  }

  /** What was written; valid until the next write. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  int16(value: number): void {
    this.reserve(2)
    this.bytes[this.length++] = value >>> 8
    this.bytes[this.length++] = value
  }

  int32(value: number): void {
    this.reserve(4)
    this.setInt32(this.length, value)
    this.length += 4
  }

  setInt32(at: number, value: number): void {
    const { bytes } = this
    bytes[at] = value >>> 24
    bytes[at + 1] = value >>> 16
    bytes[at + 2] = value >>> 8
    bytes[at + 3] = value
  }

  /** An integer that a double holds exactly. */
  int64(value: number): void {
    const high = Math.floor(value / 4_294_967_296)
    this.int32(high)
    this.int32(value - high * 4_294_967_296)
  }

  bigint64(value: bigint): void {
    this.int32(Number(BigInt.asIntN(32, value >> 32n)))
    this.int32(Number(BigInt.asIntN(32, value)))
  }

  float64(value: number): void {
    this.reserve(8)
    new DataView(this.bytes.buffer).setFloat64(this.length, value)
    this.length += 8
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  /** Text of ours, ended by a zero byte. */
  cString(text: string): void {
    this.utf8(text)
    this.byte(0)
  }

  /** A value's text behind its length; `version` is written before it (jsonb). @throws ShareRejected for what no text may hold */
  text(text: string, column: string, version?: number): void {
    this.reserve(8 + text.length * 3)
    const start = this.length
    this.length += 4
    if (version !== undefined) this.bytes[this.length++] = version
    if (!this.#plain(text)) {
      refuseUnstorable(column, text)
      this.utf8(text)
    }
    this.setInt32(start, this.length - start - 4)
  }

  utf8(text: string): void {
    this.reserve(text.length * 3)
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written
  }

  /** Writes short plain ASCII; false when the text is anything else. */
  #plain(text: string): boolean {
    const { length } = text
    if (length > shortText) return false
    const { bytes } = this
    const start = this.length
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index)
      if (code > 127 || code === 0) return false
      bytes[start + index] = code
    }
    this.length = start + length
    return true
  }

  /** Opens a frame of a one-letter message; `end` closes it. */
  begin(letter: string): number {
    this.byte(letter.charCodeAt(0))
    const mark = this.length
    this.int32(0)
    return mark
  }

  end(mark: number): void {
    this.setInt32(mark, this.length - mark)
  }
}
