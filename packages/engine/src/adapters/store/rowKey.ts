/**
 * Row identity and value checks. A row is known by its typed primary-key values, never by the message's `key` text, which
 * snapshot and log may spell differently (protocol reference §3.1). Pure; used by the fold and by both local stores.
 */
import type { TextRow } from "../../protocol/Message.ts"
import type { TableDef } from "../../graph/Table.ts"

/** Canonical texts of the primary key, encoded as one string. Equal strings are equal rows. */
export type RowKey = string

/** Why a share of a commit was refused. Thrown inside a store, turned into an outcome at its edge. */
export class ShareRejected extends Error {
  readonly kind: "row" | "unknown-row"
  constructor(kind: "row" | "unknown-row", message: string) {
    super(message)
    this.name = "ShareRejected"
    this.kind = kind
  }
}

/** Turns one key value into the text that equal values share. */
export type Canonical = (type: string, text: string) => string

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const integerPattern = /^\s*[+-]?\d+\s*$/
const trueTexts: ReadonlySet<string> = new Set(["t", "true", "on", "yes", "y", "1"])
const falseTexts: ReadonlySet<string> = new Set(["f", "false", "off", "no", "n", "0"])

/** Types whose canonical text needs no database. */
export const hasPlainText: ReadonlySet<string> = new Set([
  "text",
  "varchar",
  "uuid",
  "int2",
  "int4",
  "int8",
  "bool",
])

/** Canonical text of the plain types; other types, and texts that are no value of the type, pass unchanged. */
export const canonicalPlain: Canonical = (type, text) => {
  switch (type) {
    case "bool": {
      const lower = text.trim().toLowerCase()
      return trueTexts.has(lower) ? "true" : falseTexts.has(lower) ? "false" : text
    }
    case "uuid":
      return text.toLowerCase()
    case "int2":
    case "int4":
    case "int8":
      return integerPattern.test(text) ? BigInt(text.trim()).toString() : text
    default:
      return text
  }
}

const numberPattern = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i
const noNumberPattern = /^\s*([+-]?inf(inity)?|nan)\s*$/i
/** Words that stand for a date; any other has a digit. */
const dateWordPattern = /^\s*([+-]?infinity|epoch|now|today|tomorrow|yesterday|allballs)\s*$/i
const hexPattern = /^([0-9a-f]{2})*$/i
const arrayPattern = /^\s*(\[[^{]*=)?\{[\s\S]*\}\s*$/
/** An escaped NUL: `json` keeps it as text, `jsonb` cannot. */
const escapedNulPattern = /(^|[^\\])(\\\\)*\\u0000/

const isNumber = (text: string): boolean => numberPattern.test(text) || noNumberPattern.test(text)
const isDate = (text: string): boolean => /\d/.test(text) || dateWordPattern.test(text)

/** Texts of a type, as far as it can be told without a database: no value is refused, and no nonsense is taken. */
const isOfType: Readonly<Record<string, (text: string) => boolean>> = {
  uuid: (text) => uuidPattern.test(text),
  bool: (text) => ["true", "false"].includes(canonicalPlain("bool", text)),
  int2: (text) => integerPattern.test(text) && fits(BigInt(text.trim()), 15n),
  int4: (text) => integerPattern.test(text) && fits(BigInt(text.trim()), 31n),
  int8: (text) => integerPattern.test(text) && fits(BigInt(text.trim()), 63n),
  float4: isNumber,
  float8: isNumber,
  numeric: isNumber,
  json: (text) => isJson(text),
  jsonb: (text) => isJson(text) && !escapedNulPattern.test(text),
  bytea: (text) => !text.startsWith("\\x") || hexPattern.test(text.slice(2)),
  date: isDate,
  time: isDate,
  timestamp: isDate,
  timestamptz: isDate,
  interval: isDate,
}

/** Refuses texts that Postgres would refuse for the type: of the wrong kind, and what no text may hold. */
export const checkText = (type: string, column: string, text: string): void => {
  refuseUnstorable(column, text)
  const known = type.endsWith("[]") ? arrayPattern.test(text) : (isOfType[type]?.(text) ?? true)
  if (known) return
  throw new ShareRejected(
    "row",
    `column ${column}: invalid input syntax for type ${type}: "${text.slice(0, 80)}"`,
  )
}

/** Refuses what can be stored in no Postgres text: a NUL, or a surrogate without its other half. */
export const refuseUnstorable = (column: string, text: string): void => {
  if (text.includes("\u0000")) throw new ShareRejected("row", `column ${column}: text holds a NUL character`)
  if (!text.isWellFormed())
    throw new ShareRejected("row", `column ${column}: text is not well-formed Unicode`)
}

/** The canonical primary-key texts of a row. @throws ShareRejected when a key column is missing or NULL. */
export const keyTextsOf = (table: TableDef, row: TextRow, canonical: Canonical): ReadonlyArray<string> =>
  table.primaryKey.map((column) => {
    const text = row[column]
    if (text === undefined || text === null) {
      throw new ShareRejected(
        "row",
        `table ${table.name}: key column ${column} is ${text === null ? "NULL" : "missing"}`,
      )
    }
    return canonical(table.columns[column]?.type ?? "text", text)
  })

const plainText = /^[\w-]*$/

/** One string for a tuple of canonical key texts. */
export const encodeKey = (texts: ReadonlyArray<string>): RowKey => {
  const [only] = texts
  // What JSON would say, at a tenth of the price; most keys are one uuid or number.
  if (only !== undefined && texts.length === 1 && plainText.test(only)) return `["${only}"]`
  return JSON.stringify(texts)
}

/** The tuple of an encoded key. */
export const decodeKey = (key: RowKey): ReadonlyArray<string> => JSON.parse(key) as ReadonlyArray<string>

/** Order of key tuples: by code unit, element by element; the same in every store. */
export const compareTexts = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): number => {
  for (const [index, text] of left.entries()) {
    const other = right[index] ?? ""
    if (text !== other) return text < other ? -1 : 1
  }
  return 0
}

const fits = (value: bigint, bits: bigint): boolean => value >= -(1n << bits) && value < 1n << bits

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
