/**
 * Decides whether a Postgres text fits a column type and brings it into one spelling, so that one value has one key and one
 * definition hash. Exists because keys, hashes and the gateway compare text. Must not guess: what it does not
 * understand is refused (`null`). Pure; used by validation, the compiler and (through it) the gateway.
 */
import type { ColumnType } from "./Table.ts"

const uuid = /^\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i
const dateTime =
  /^[+-]?\d{4,6}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?: ?(?:Z|[+-]\d{2}(?::?\d{2}){0,2}))?)?(?: BC)?$/
const time = /^\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?$/
const trueWords: ReadonlySet<string> = new Set(["t", "true", "y", "yes", "on", "1"])
const falseWords: ReadonlySet<string> = new Set(["f", "false", "n", "no", "off", "0"])

const integer =
  (bits: bigint) =>
  (text: string): string | null => {
    if (!/^[+-]?\d{1,20}$/.test(text)) return null
    const value = BigInt(text.replace(/^\+/, ""))
    const limit = 1n << (bits - 1n)
    return value >= -limit && value < limit ? value.toString() : null
  }

const float = (text: string): string | null => {
  if (/^(?:NaN|-?Infinity)$/.test(text)) return text
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return null
  const value = Number(text)
  return Number.isFinite(value) ? String(value === 0 ? 0 : value) : null
}

const numeric = (text: string): string | null => {
  if (text === "NaN") return text
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text)
  if (match === null || `${match[2] ?? ""}${match[3] ?? ""}` === "") return null
  const whole = (match[2] ?? "").replace(/^0+(?=\d)/, "") || "0"
  const fraction = (match[3] ?? "").replace(/0+$/, "")
  const digits = fraction === "" ? whole : `${whole}.${fraction}`
  return match[1] === "-" && /[1-9]/.test(digits) ? `-${digits}` : digits
}

const json = (text: string): string | null => {
  try {
    JSON.parse(text)
    return text
  } catch {
    return null
  }
}

const matching =
  (pattern: RegExp) =>
  (text: string): string | null =>
    pattern.test(text) ? text : null

const timestamp = (text: string): string | null =>
  /^-?infinity$/.test(text) ? text : dateTime.test(text) ? text.replace("T", " ") : null

/** Postgres text holds no NUL; a lone surrogate has no UTF-8 form. */
const isPostgresText = (text: string): boolean => !text.includes("\0") && text.isWellFormed()

const scalar = (type: string, text: string): string | null => {
  switch (type) {
    case "uuid": {
      const match = uuid.exec(text)
      return match === null || text.startsWith("{") !== text.endsWith("}")
        ? null
        : match.slice(1).join("-").toLowerCase()
    }
    case "bool": {
      const word = text.toLowerCase()
      return trueWords.has(word) ? "true" : falseWords.has(word) ? "false" : null
    }
    case "int2":
      return integer(16n)(text)
    case "int4":
      return integer(32n)(text)
    case "int8":
      return integer(64n)(text)
    case "float4":
    case "float8":
      return float(text)
    case "numeric":
      return numeric(text)
    case "date":
    case "timestamp":
    case "timestamptz":
      return timestamp(text)
    case "time":
      return matching(time)(text)
    case "bytea":
      return matching(/^\\x(?:[0-9a-f]{2})*$/)(text.toLowerCase())
    case "interval":
      return matching(/\S/)(text)
    case "json":
    case "jsonb":
      return json(text)
    case "text":
    case "varchar":
      return text
    default:
      return null
  }
}

/** The one spelling of a value of a type, or `null` when the text does not fit the type. */
export const canonicalText = (type: ColumnType, text: string): string | null => {
  if (!isPostgresText(text)) return null
  if (type.endsWith("[]")) return matching(/^\{[^]*\}$/)(text)
  return scalar(type, text)
}

const examples: Readonly<Record<string, string>> = {
  uuid: "00000000-0000-4000-8000-000000000000",
  bool: "true",
  int2: "1",
  int4: "1",
  int8: "1",
  float4: "1.5",
  float8: "1.5",
  numeric: "1.5",
  date: "2026-01-31",
  time: "12:30:00",
  timestamp: "2026-01-31 12:30:00",
  timestamptz: "2026-01-31 12:30:00+00",
  bytea: "\\x00ff",
  interval: "1 day",
  json: "{}",
  jsonb: "{}",
}

/** A value of the type, for error messages. */
export const exampleOf = (type: ColumnType): string =>
  type.endsWith("[]") ? "{}" : (examples[type] ?? "text without NUL characters")

/** A literal of a filter as Postgres text. */
export const literalText = (value: string | number | boolean): string => String(value)

/**
 * Types that may be compared and joined with each other: equal after this. `varchar` compares as `text`; nothing else is
 * widened, because the server demands exactly equal types on both sides of a subquery (protocol reference §5.2).
 */
export const baseType = (type: ColumnType): ColumnType =>
  type === "varchar" ? "text" : type === "varchar[]" ? "text[]" : type
