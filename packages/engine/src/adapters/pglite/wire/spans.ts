/**
 * JSON text in bytes → Postgres binary, for values that lie in a response body. Exists so that a row of a snapshot becomes a row of a
 * COPY without a string in between. The types that are most of all rows are read from the bytes; for the others, and for a value with
 * a Unicode escape, a string is made and `encoders.ts` asked. The same bytes as those encoders write, or the same refusal.
 */
import { textAt } from "../../../protocol/PackedRows.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { type BinaryType, binaryTypes } from "./encoders.ts"

/** Writes the value between `start` and `end` (`~end`: it has escapes); false when only Postgres can tell what it is. */
export type EncodeSpan = (
  writer: ByteWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  column: string,
) => boolean

/** The encoder of a column type, or null when the type has none. */
export const spanEncoder = (type: string): EncodeSpan | null => {
  const known = binaryTypes[type]
  return known === undefined ? null : (fromBytes[type]?.(known) ?? viaText(known))
}

const viaText =
  (type: BinaryType): EncodeSpan =>
  (writer, bytes, start, end, column) =>
    type.encode(writer, textAt(bytes, start, end), column)

const backslash = 92
const letterU = 117
const dash = 45
const zero = 48

/** What the letter behind a backslash stands for; 0 for what is no simple escape. */
const escapes = new Uint8Array(128)
for (const [letter, stands] of Object.entries({
  '"': 34,
  "\\": 92,
  "/": 47,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
}))
  escapes[letter.charCodeAt(0)] = stands

/** Up to here a loop over the bytes is faster than the runtime's copy. */
const shortText = 48

const text =
  (version: number | null) =>
  (type: BinaryType): EncodeSpan => {
    const slow = viaText(type)
    return (writer, bytes, start, end, column) => {
      const last = end < 0 ? ~end : end
      writer.reserve(last - start + 5)
      const target = writer.bytes
      const mark = writer.length
      let to = mark + 4
      if (version !== null) target[to++] = version
      if (end >= 0) {
        if (last - start > shortText) {
          target.set(bytes.subarray(start, last), to)
          to += last - start
        } else for (let at = start; at < last; at += 1) target[to++] = bytes[at] ?? 0
      } else {
        for (let at = start; at < last; at += 1) {
          const byte = bytes[at] ?? 0
          if (byte !== backslash) {
            target[to++] = byte
            continue
          }
          at += 1
          const letter = bytes[at] ?? 0
          if (letter === letterU) return slow(writer, bytes, start, end, column)
          target[to++] = escapes[letter] ?? 0
        }
      }
      writer.length = to
      writer.setInt32(mark, to - mark - 4)
      return true
    }
  }

/** Values of hex digits by byte, 255 for all others. */
const hexDigits = Uint8Array.from({ length: 256 }, (_, code) => {
  const value = /[0-9a-f]/i.test(String.fromCharCode(code))
    ? Number.parseInt(String.fromCharCode(code), 16)
    : 255
  return code > 127 ? 255 : value
})

const uuid =
  (type: BinaryType): EncodeSpan =>
  (writer, bytes, start, end, column) => {
    if (end < 0) return viaText(type)(writer, bytes, start, end, column)
    if (end - start !== 36) return false
    writer.reserve(20)
    const target = writer.bytes
    const mark = writer.length
    let to = mark + 4
    let bad = 0
    for (let at = 0; at < 36; at += 2) {
      if (at === 8 || at === 13 || at === 18 || at === 23) {
        if (bytes[start + at] !== dash) return false
        at += 1
      }
      const high = hexDigits[bytes[start + at] ?? 0] ?? 255
      const low = hexDigits[bytes[start + at + 1] ?? 0] ?? 255
      bad |= high | low
      target[to++] = (high << 4) | low
    }
    if (bad > 15) return false
    writer.setInt32(mark, 16)
    writer.length = to
    return true
  }

/** Two digits as a number, or a number that is far too large. */
const two = (bytes: Uint8Array, at: number): number => {
  const tens = (bytes[at] ?? 0) - zero
  const ones = (bytes[at + 1] ?? 0) - zero
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? 10_000 : tens * 10 + ones
}

/** Days from 2000-01-01 to the first of March of a year. */
const daysBeforeMarch = (year: number): number =>
  year * 365 + Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400) - 730_425

/** Days of a date whose day exists in every month; the rest is left to the encoder of texts. */
const daysAt = (bytes: Uint8Array, at: number): number => {
  const century = two(bytes, at)
  const inCentury = two(bytes, at + 2)
  const month = two(bytes, at + 5)
  const day = two(bytes, at + 8)
  if (bytes[at + 4] !== dash || bytes[at + 7] !== dash) return Number.NaN
  const year = century * 100 + inCentury
  if (year < 1000 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 28) return Number.NaN
  const fromMarch = month > 2 ? month - 3 : month + 9
  return daysBeforeMarch(month > 2 ? year : year - 1) + Math.floor((153 * fromMarch + 2) / 5) + day - 1
}

const colon = 58
const dot = 46
const blank = 32
const plus = 43

/** Microseconds since midnight of `HH:MM:SS[.f…]`, or NaN. */
const microsAt = (bytes: Uint8Array, at: number, end: number): number => {
  const hour = two(bytes, at)
  const minute = two(bytes, at + 3)
  const second = two(bytes, at + 6)
  if (bytes[at + 2] !== colon || bytes[at + 5] !== colon) return Number.NaN
  if (end < at + 8 || hour > 23 || minute > 59 || second > 59) return Number.NaN
  const whole = (hour * 3600 + minute * 60 + second) * 1_000_000
  if (end === at + 8) return whole
  const places = end - at - 9
  if (bytes[at + 8] !== dot || places < 1 || places > 6) return Number.NaN
  let fraction = 0
  for (let index = 0; index < 6; index += 1) {
    const digit = index < places ? (bytes[at + 9 + index] ?? 0) - zero : 0
    if (digit < 0 || digit > 9) return Number.NaN
    fraction = fraction * 10 + digit
  }
  return whole + fraction
}

const timestamp =
  (zoned: boolean) =>
  (type: BinaryType): EncodeSpan => {
    const slow = viaText(type)
    return (writer, bytes, start, end, column) => {
      const last = zoned ? end - 3 : end
      const utc = !zoned || (bytes[last] === plus && bytes[last + 1] === zero && bytes[last + 2] === zero)
      const plain = end - start >= (zoned ? 22 : 19) && utc && bytes[start + 10] === blank
      const micros = plain
        ? daysAt(bytes, start) * 86_400_000_000 + microsAt(bytes, start + 11, last)
        : Number.NaN
      if (!Number.isSafeInteger(micros)) return slow(writer, bytes, start, end, column)
      writer.int32(8)
      writer.int64(micros)
      return true
    }
  }

const int4 = (type: BinaryType): EncodeSpan => {
  const slow = viaText(type)
  return (writer, bytes, start, end, column) => {
    const negative = bytes[start] === dash
    const from = negative ? start + 1 : start
    if (end <= from || end - from > 9) return slow(writer, bytes, start, end, column)
    let value = 0
    for (let at = from; at < end; at += 1) {
      const digit = (bytes[at] ?? 0) - zero
      if (digit < 0 || digit > 9) return false
      value = value * 10 + digit
    }
    writer.int32(4)
    writer.int32(negative ? -value : value)
    return true
  }
}

const fromBytes: Readonly<Record<string, (type: BinaryType) => EncodeSpan>> = {
  int4,
  json: text(null),
  jsonb: text(1),
  text: text(null),
  timestamp: timestamp(false),
  timestamptz: timestamp(true),
  uuid,
  varchar: text(null),
}
