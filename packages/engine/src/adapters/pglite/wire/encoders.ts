/**
 * Postgres text → Postgres binary, per column type. Parsing text inside the database costs more than the insert itself. An encoder
 * writes length and bytes, or writes nothing and answers false when the text is not of the one form it knows to be equal; the caller
 * then sends the column as text and lets Postgres read it. So a doubtful value is slow, never wrong.
 */
import type { ByteWriter } from "./ByteWriter.ts"
import { numeric } from "./numeric.ts"

/** Writes a value; false when only Postgres can tell what it is. `column` is for messages. */
export type Encode = (writer: ByteWriter, text: string, column: string) => boolean

/** A type that can be sent as binary. */
export interface BinaryType {
  readonly oid: number
  readonly encode: Encode
}

const minus = 45
const dot = 46
const zero = 48

/** Digits of `text` from `start` to `end` as a number, or -1. */
const digits = (text: string, start: number, end: number): number => {
  let value = 0
  for (let index = start; index < end; index += 1) {
    const digit = text.charCodeAt(index) - zero
    if (!(digit >= 0 && digit <= 9)) return -1
    value = value * 10 + digit
  }
  return end > start ? value : -1
}

const text: Encode = (writer, value, column) => {
  writer.text(value, column)
  return true
}

const jsonb: Encode = (writer, value, column) => {
  writer.text(value, column, 1)
  return true
}

const bool: Encode = (writer, value) => {
  const truth = value === "t" || value === "true"
  if (!truth && value !== "f" && value !== "false") return false
  writer.int32(1)
  writer.byte(truth ? 1 : 0)
  return true
}

const integer =
  (bytes: 2 | 4): Encode =>
  (writer, value) => {
    const negative = value.charCodeAt(0) === minus
    const size = digits(value, negative ? 1 : 0, value.length)
    const limit = bytes === 2 ? 32_768 : 2_147_483_648
    if (size < 0 || value.length > 11 || (negative ? size > limit : size >= limit)) return false
    writer.int32(bytes)
    if (bytes === 2) writer.int16(negative ? -size : size)
    else writer.int32(negative ? -size : size)
    return true
  }

const int8: Encode = (writer, value) => {
  const negative = value.charCodeAt(0) === minus
  const size = digits(value, negative ? 1 : 0, value.length)
  if (size < 0 || value.length > 20) return false
  if (size <= Number.MAX_SAFE_INTEGER) {
    writer.int32(8)
    writer.int64(negative ? -size : size)
    return true
  }
  const exact = BigInt(value)
  if (BigInt.asIntN(64, exact) !== exact) return false
  writer.int32(8)
  writer.bigint64(exact)
  return true
}

const decimal = /^-?\d{1,400}(\.\d{1,400})?(e[+-]?\d{1,3})?$/

/** Overflow and underflow are Postgres's to refuse. */
const float8: Encode = (writer, value) => {
  if (!decimal.test(value)) return false
  const parsed = Number(value)
  if (!Number.isFinite(parsed) || (Math.abs(parsed) < 2.3e-308 && /[1-9]/.test(value))) return false
  writer.int32(8)
  writer.float64(parsed)
  return true
}

/** Values of hex digits by char code, 255 for all others. */
const hexDigits = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16)
  return Number.isNaN(value) ? 255 : value
})

const hexByte = (value: string, at: number): number => {
  const high = hexDigits[value.charCodeAt(at)] ?? 255
  const low = hexDigits[value.charCodeAt(at + 1)] ?? 255
  return high > 15 || low > 15 ? -1 : (high << 4) | low
}

const uuid: Encode = (writer, value) => {
  if (value.length !== 36) return false
  writer.reserve(20)
  const { bytes, length: start } = writer
  let to = start + 4
  for (let index = 0; index < 36;) {
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      if (value.charCodeAt(index) !== minus) return false
      index += 1
    }
    const byte = hexByte(value, index)
    if (byte < 0) return false
    bytes[to++] = byte
    index += 2
  }
  writer.setInt32(start, 16)
  writer.length = to
  return true
}

const bytea: Encode = (writer, value) => {
  if (!value.startsWith("\\x") || value.length % 2 !== 0) return false
  const count = value.length / 2 - 1
  writer.reserve(4 + count)
  const { bytes, length: start } = writer
  for (let index = 0; index < count; index += 1) {
    const byte = hexByte(value, 2 + index * 2)
    if (byte < 0) return false
    bytes[start + 4 + index] = byte
  }
  writer.setInt32(start, count)
  writer.length = start + 4 + count
  return true
}

const monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

/** Days since 2000-01-01 of `YYYY-MM-DD` at the start of the text, or NaN. */
const daysOf = (value: string): number => {
  const year = digits(value, 0, 4)
  const month = digits(value, 5, 7)
  const day = digits(value, 8, 10)
  if (value.charCodeAt(4) !== minus || value.charCodeAt(7) !== minus) return Number.NaN
  if (year < 1 || month < 1 || month > 12 || day < 1) return Number.NaN
  const last = month === 2 && isLeap(year) ? 29 : (monthLengths[month - 1] ?? 0)
  if (day > last) return Number.NaN
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 730_425
}

const colon = 58

/** Microseconds of `HH:MM:SS[.ffffff]` from `start` to `end`, or NaN. */
const microsOf = (value: string, start: number, end: number): number => {
  const hour = digits(value, start, start + 2)
  const minute = digits(value, start + 3, start + 5)
  const second = digits(value, start + 6, start + 8)
  if (value.charCodeAt(start + 2) !== colon || value.charCodeAt(start + 5) !== colon) return Number.NaN
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return Number.NaN
  const whole = (hour * 3600 + minute * 60 + second) * 1_000_000
  if (end === start + 8) return whole
  const places = end - start - 9
  const fraction = digits(value, start + 9, end)
  if (value.charCodeAt(start + 8) !== dot || fraction < 0 || places > 6) return Number.NaN
  return whole + fraction * 10 ** (6 - places)
}

const date: Encode = (writer, value) => {
  if (value.length !== 10) return false
  const days = daysOf(value)
  if (Number.isNaN(days)) return false
  writer.int32(4)
  writer.int32(days)
  return true
}

const time: Encode = (writer, value) => {
  const micros = microsOf(value, 0, value.length)
  if (Number.isNaN(micros)) return false
  writer.int32(8)
  writer.int64(micros)
  return true
}

/** `YYYY-MM-DD HH:MM:SS[.ffffff]`, for timestamptz with `+00` behind it. Beyond year 9999 and before Christ Postgres reads. */
const timestamp =
  (zoned: boolean): Encode =>
  (writer, value) => {
    if (value === "infinity" || value === "-infinity") {
      writer.int32(8)
      writer.bigint64(value === "infinity" ? 0x7fff_ffff_ffff_ffffn : -0x8000_0000_0000_0000n)
      return true
    }
    const end = zoned ? value.length - 3 : value.length
    if (value.charCodeAt(10) !== 32 || (zoned && !value.endsWith("+00"))) return false
    const micros = daysOf(value) * 86_400_000_000 + microsOf(value, 11, end)
    if (Number.isSafeInteger(micros)) {
      writer.int32(8)
      writer.int64(micros)
      return true
    }
    if (Number.isNaN(micros)) return false
    writer.int32(8)
    writer.bigint64(BigInt(daysOf(value)) * 86_400_000_000n + BigInt(microsOf(value, 11, end)))
    return true
  }

/** Types with an encoder. The others (float4: two roundings; interval and arrays: many forms) always travel as text. */
export const binaryTypes: Readonly<Record<string, BinaryType>> = {
  bool: { oid: 16, encode: bool },
  bytea: { oid: 17, encode: bytea },
  date: { oid: 1082, encode: date },
  float8: { oid: 701, encode: float8 },
  int2: { oid: 21, encode: integer(2) },
  int4: { oid: 23, encode: integer(4) },
  int8: { oid: 20, encode: int8 },
  json: { oid: 114, encode: text },
  jsonb: { oid: 3802, encode: jsonb },
  numeric: { oid: 1700, encode: numeric },
  text: { oid: 25, encode: text },
  time: { oid: 1083, encode: time },
  timestamp: { oid: 1114, encode: timestamp(false) },
  timestamptz: { oid: 1184, encode: timestamp(true) },
  uuid: { oid: 2950, encode: uuid },
  varchar: { oid: 1043, encode: text },
}
