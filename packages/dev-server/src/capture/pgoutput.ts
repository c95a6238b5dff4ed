/**
 * Reads the messages of Postgres's `pgoutput` plugin, protocol version 1, text format
 * (https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html). Values stay the text Postgres
 * printed. Our own because the published decoders turn values into JavaScript numbers and dates. Pure.
 */
import type { Text } from "../db/Database.ts"

/** A place in the write-ahead log, in bytes. Exact up to 2^53: eight petabytes of log. */
export type Lsn = number

/** A table as the messages after it name it. */
export interface Relation {
  readonly oid: string
  readonly columns: ReadonlyArray<string>
}

/** A value of a tuple; `undefined` is a stored-aside value that the update did not touch. */
export type Field = Text | undefined

/** The messages a dev-server needs; the others are `other`. */
export type Message =
  | { readonly kind: "begin"; readonly xid: number }
  | { readonly kind: "commit"; readonly lsn: Lsn; readonly endLsn: Lsn }
  | { readonly kind: "relation"; readonly relation: Relation }
  | { readonly kind: "insert"; readonly oid: string; readonly after: ReadonlyArray<Field> }
  | {
      readonly kind: "update"
      readonly oid: string
      /** `null` where the log does not hold the whole old row. */
      readonly before: ReadonlyArray<Field> | null
      readonly after: ReadonlyArray<Field>
    }
  | { readonly kind: "delete"; readonly oid: string; readonly before: ReadonlyArray<Field> | null }
  | { readonly kind: "truncate"; readonly oids: ReadonlyArray<string> }
  | { readonly kind: "other" }

/** Reads one message. Throws on bytes that are none. */
export const readMessage = (bytes: Buffer): Message => {
  const cursor = new Cursor(bytes)
  const tag = cursor.char()
  switch (tag) {
    case "B":
      cursor.skip(16)
      return { kind: "begin", xid: cursor.uint32() }
    case "C":
      cursor.skip(1)
      return { kind: "commit", lsn: cursor.lsn(), endLsn: cursor.lsn() }
    case "R":
      return { kind: "relation", relation: readRelation(cursor) }
    case "I": {
      const oid = String(cursor.uint32())
      cursor.skip(1)
      return { kind: "insert", oid, after: readTuple(cursor) }
    }
    case "U":
      return readUpdate(cursor)
    case "D": {
      const oid = String(cursor.uint32())
      return { kind: "delete", oid, before: cursor.char() === "O" ? readTuple(cursor) : null }
    }
    case "T": {
      const count = cursor.uint32()
      cursor.skip(1)
      return { kind: "truncate", oids: Array.from({ length: count }, () => String(cursor.uint32())) }
    }
    // Types, origins and messages of applications say nothing about rows.
    case "Y":
    case "O":
    case "M":
      return { kind: "other" }
    default:
      throw new Error(`pgoutput sent a message of unknown kind ${JSON.stringify(tag)}`)
  }
}

const readRelation = (cursor: Cursor): Relation => {
  const oid = String(cursor.uint32())
  cursor.text()
  cursor.text()
  cursor.skip(1)
  const columns = Array.from({ length: cursor.uint16() }, () => {
    cursor.skip(1)
    const name = cursor.text()
    cursor.skip(8)
    return name
  })
  return { oid, columns }
}

const readUpdate = (cursor: Cursor): Message => {
  const oid = String(cursor.uint32())
  const kind = cursor.char()
  if (kind === "N") return { kind: "update", oid, before: null, after: readTuple(cursor) }
  const before = readTuple(cursor)
  cursor.skip(1)
  return { kind: "update", oid, before: kind === "O" ? before : null, after: readTuple(cursor) }
}

const readTuple = (cursor: Cursor): ReadonlyArray<Field> =>
  Array.from({ length: cursor.uint16() }, () => {
    const kind = cursor.char()
    if (kind === "n") return null
    if (kind === "u") return undefined
    if (kind === "t") return cursor.sized()
    throw new Error(`pgoutput sent a value of unknown kind ${JSON.stringify(kind)}`)
  })

class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  skip(count: number): void {
    this.#at += count
  }

  char(): string {
    const value = this.#bytes.readUInt8(this.#at)
    this.#at += 1
    return String.fromCharCode(value)
  }

  uint16(): number {
    const value = this.#bytes.readUInt16BE(this.#at)
    this.#at += 2
    return value
  }

  uint32(): number {
    const value = this.#bytes.readUInt32BE(this.#at)
    this.#at += 4
    return value
  }

  lsn(): Lsn {
    return this.uint32() * 2 ** 32 + this.uint32()
  }

  /** Text that ends with a zero byte. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at)
    const value = this.#bytes.toString("utf8", this.#at, end)
    this.#at = end + 1
    return value
  }

  /** Text that begins with its length. */
  sized(): string {
    const length = this.uint32()
    const value = this.#bytes.toString("utf8", this.#at, this.#at + length)
    this.#at += length
    return value
  }
}

/** Reads `16/B374D848`, the way SQL prints a place in the log. */
export const parseLsn = (text: string): Lsn => {
  const [high = "", low = ""] = text.split("/")
  return Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16)
}

/** Prints a place in the log the way SQL does. */
export const formatLsn = (lsn: Lsn): string =>
  `${Math.floor(lsn / 2 ** 32).toString(16)}/${(lsn % 2 ** 32).toString(16)}`.toUpperCase()
