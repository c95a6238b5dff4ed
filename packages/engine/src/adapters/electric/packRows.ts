/**
 * Finds the rows of a snapshot in the bytes of its body, without making an object or a string of them. Exists because parsing a large
 * snapshot costs as much as storing it. It reads one exact form: an array of plain inserts with the same columns and headers, perhaps
 * closed by control messages, no blanks between. For anything else it answers null and the body is decoded message by message, so what
 * it does not know is slow, never wrong. Whatever it accepts, `JSON.parse` reads the same way. Pure; called by `wire.ts`.
 */
import { nullSpan } from "../../protocol/PackedRows.ts"
import { Operation } from "../../protocol/constants.ts"

/** Rows found in a body. */
export interface FoundRows {
  readonly columns: ReadonlyArray<string>
  readonly count: number
  readonly spans: Int32Array
  /** What stands behind the last row: text of a JSON array of the remaining messages. */
  readonly rest: string
}

/** Control messages behind the rows are short; more is not a form we know. */
const mostRestBytes = 64 * 1024

const quote = 34
const comma = 44
const colon = 58
const openBracket = 91
const backslash = 92
const closeBracket = 93
const letterN = 110
const letterU = 117
const openBrace = 123
const closeBrace = 125

const encoder = new TextEncoder()
const head = encoder.encode('{"key":"')
const beforeValue = encoder.encode(',"value":')
const beforeHeaders = encoder.encode(',"headers":')
const nullWord = encoder.encode("null")

/** The rows of a body, or null when it is not of the form this file knows. */
export const findRows = (bytes: Uint8Array): FoundRows | null =>
  bytes[0] !== openBracket || bytes[1] !== openBrace ? null : new Scan(bytes).run()

class Scan {
  readonly #bytes: Uint8Array
  #at = 1
  /** Has a backslash been seen in the string just skipped. */
  #escaped = false
  /** All bytes of all strings, or-ed: 128 or more when some are not ASCII. */
  #seen = 0
  /** What stands before each value: `{"id":`, `,"name":`, … */
  #prefixes: ReadonlyArray<Uint8Array> = []
  #headers: Uint8Array = new Uint8Array(0)
  #columns: ReadonlyArray<string> = []
  #spans = new Int32Array(0)

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  run(): FoundRows | null {
    if (!this.#learn()) return null
    let count = 0
    let row = true
    while (row) {
      this.#makeRoom(count)
      if (!this.#row(count)) return null
      count += 1
      row = this.#bytes[this.#at] === comma && this.#matches(head, this.#at + 1)
      if (row) this.#at += 1
    }
    const rest = this.#rest()
    if (rest === null || !this.#isUtf8()) return null
    const { length } = this.#columns
    return { columns: this.#columns, count, spans: this.#spans.subarray(0, count * length * 2), rest }
  }

  /** Reads the first row's columns and headers, and goes back to its beginning. */
  #learn(): boolean {
    const bytes = this.#bytes
    const start = this.#at
    if (!this.#take(head) || !this.#string() || !this.#take(beforeValue)) return false
    const prefixes: Array<Uint8Array> = []
    const columns: Array<string> = []
    if (bytes[this.#at] !== openBrace) return false
    for (let from = this.#at; ; from = this.#at) {
      this.#at += 1
      if (bytes[this.#at] !== quote) return false
      const name = this.#at
      this.#at += 1
      if (!this.#string() || bytes[this.#at] !== colon) return false
      const column = parse(decode(bytes, name, this.#at))
      if (typeof column !== "string") return false
      columns.push(column)
      this.#at += 1
      prefixes.push(bytes.slice(from, this.#at))
      if (!this.#value(0, -1)) return false
      if (bytes[this.#at] === closeBrace) break
      if (bytes[this.#at] !== comma) return false
    }
    this.#at += 1
    if (!this.#take(beforeHeaders)) return false
    const headers = this.#at
    if (!this.#object() || !isPlainInsert(decode(bytes, headers, this.#at))) return false
    this.#headers = bytes.slice(headers, this.#at)
    this.#at = start
    this.#prefixes = prefixes
    this.#columns = columns
    return new Set(columns).size === columns.length
  }

  /** Reads one row from its opening brace to behind its closing one. */
  #row(row: number): boolean {
    if (!this.#take(head) || !this.#string() || !this.#take(beforeValue)) return false
    const prefixes = this.#prefixes
    const { length } = prefixes
    for (let column = 0; column < length; column += 1) {
      const prefix = prefixes[column]
      if (prefix === undefined || !this.#take(prefix)) return false
      if (!this.#value(row * length + column, column)) return false
    }
    if (this.#bytes[this.#at] !== closeBrace) return false
    this.#at += 1
    if (!this.#take(beforeHeaders) || !this.#take(this.#headers)) return false
    if (this.#bytes[this.#at] !== closeBrace) return false
    this.#at += 1
    return true
  }

  /** Reads text or null and notes where it lies, unless `column` is negative. */
  #value(cell: number, column: number): boolean {
    const start = this.#at + 1
    if (this.#bytes[this.#at] !== quote) {
      if (this.#bytes[this.#at] !== letterN || !this.#take(nullWord)) return false
      if (column >= 0) this.#spans[cell * 2] = nullSpan
      return true
    }
    this.#at = start
    if (!this.#string()) return false
    if (column < 0) return true
    this.#spans[cell * 2] = start
    this.#spans[cell * 2 + 1] = this.#escaped ? ~(this.#at - 1) : this.#at - 1
    return true
  }

  /** Goes from behind an opening quote to behind the closing one. False where JSON.parse would refuse. */
  #string(): boolean {
    const bytes = this.#bytes
    const { length } = bytes
    let at = this.#at
    let seen = this.#seen
    let escaped = false
    while (at < length) {
      const byte = bytes[at] ?? 0
      if (byte === quote) break
      if (byte < 32) return false
      seen |= byte
      if (byte === backslash) {
        escaped = true
        at += 1
        if (!isEscape(bytes, at)) return false
      }
      at += 1
    }
    this.#at = at + 1
    this.#seen = seen
    this.#escaped = escaped
    return at < length
  }

  /** Goes over an object of texts and arrays of texts, from its opening brace to behind its closing one. */
  #object(): boolean {
    if (this.#bytes[this.#at] !== openBrace) return false
    this.#at += 1
    while (this.#at < this.#bytes.length) {
      const byte = this.#bytes[this.#at]
      this.#at += 1
      if (byte === closeBrace) return true
      if (byte === openBrace) return false
      if (byte === quote && !this.#string()) return false
    }
    return false
  }

  /** What stands behind the last row, as an array of its own. */
  #rest(): string | null {
    const bytes = this.#bytes
    const at = this.#at
    if (bytes[at] === closeBracket) return at === bytes.length - 1 ? "[]" : null
    if (bytes[at] !== comma || bytes.length - at > mostRestBytes) return null
    return `[${decode(bytes, at + 1, bytes.length)}`
  }

  #take(word: Uint8Array): boolean {
    if (!this.#matches(word, this.#at)) return false
    this.#at += word.length
    return true
  }

  #matches(word: Uint8Array, at: number): boolean {
    const bytes = this.#bytes
    for (let index = 0; index < word.length; index += 1) if (bytes[at + index] !== word[index]) return false
    return true
  }

  /** Rows are alike, so the first ones tell how many will come. */
  #makeRoom(count: number): void {
    const perRow = this.#columns.length * 2
    if ((count + 1) * perRow <= this.#spans.length) return
    const bytesPerRow = count === 0 ? 256 : this.#at / count
    const rows = Math.max(count + 16, Math.ceil((this.#bytes.length / bytesPerRow) * 1.02))
    const larger = new Int32Array(rows * perRow)
    larger.set(this.#spans)
    this.#spans = larger
  }

  #isUtf8(): boolean {
    if (this.#seen < 128) return true
    try {
      strict.decode(this.#bytes)
      return true
    } catch {
      return false
    }
  }
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Text of a part; empty, and so no JSON, when it is not UTF-8. */
const decode = (bytes: Uint8Array, start: number, end: number): string => {
  try {
    return strict.decode(bytes.subarray(start, end))
  } catch {
    return ""
  }
}

const simpleEscapes: ReadonlySet<number> = new Set(encoder.encode('"\\/bfnrt'))

/** Whether what follows a backslash is an escape of JSON. */
const isEscape = (bytes: Uint8Array, at: number): boolean => {
  const byte = bytes[at] ?? 0
  if (byte !== letterU) return simpleEscapes.has(byte)
  for (let index = at + 1; index <= at + 4; index += 1) if (!isHex(bytes[index] ?? 0)) return false
  return true
}

const isHex = (byte: number): boolean =>
  (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 70) || (byte >= 97 && byte <= 102)

const plainHeaders: ReadonlySet<string> = new Set(["operation", "relation"])

/** An insert of a snapshot: no LSN, no tags, nothing we do not know. */
const isPlainInsert = (text: string): boolean => {
  const headers = parse(text)
  return (
    typeof headers === "object" &&
    headers !== null &&
    "operation" in headers &&
    headers.operation === Operation.insert &&
    Object.keys(headers).every((name) => plainHeaders.has(name))
  )
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
