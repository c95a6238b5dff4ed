/**
 * Reads one response body of the shape protocol: bytes → messages or packed rows, values untouched. Exists so that a malformed answer
 * becomes a named violation here instead of an exception inside the official client, which would go on behind the bad batch
 * (protocol reference §12.2.15). Pure; called by the stream module only.
 */
import type { Message } from "../../protocol/Message.ts"
import { isControl, isSnapshotEnd } from "../../protocol/Message.ts"
import { type Content, type PackedRows, withContent } from "../../protocol/PackedRows.ts"
import { Control, MoveEvent, Operation } from "../../protocol/constants.ts"
import { type FoundRows, findRows } from "./packRows.ts"

/** One response body, read. */
export interface DecodedBody extends Content {
  readonly _tag: "Body"
  /** Changes, events and snapshot-ends in log order; unknown kinds are left out (protocol reference §3). */
  readonly messages: ReadonlyArray<Message>
  /** The last message was up-to-date. */
  readonly upToDate: boolean
  readonly lastSeenLsn: string | null
  /** A must-refetch came inside a successful answer; nothing else of the body counts. */
  readonly mustRefetch: boolean
}

/** The body breaks the protocol; `message` says where. */
export interface WireViolation {
  readonly _tag: "Violation"
  readonly message: string
}

/** Reads a body: rows of a snapshot stay packed, everything else becomes messages. */
export const readBody = (bytes: Uint8Array): DecodedBody | WireViolation => {
  const found = findRows(bytes)
  if (found !== null) {
    const rest = decodeBody(found.rest)
    if (rest._tag === "Body" && isClosing(rest)) return packedBody(bytes, found, rest)
  }
  return decodeBytes(bytes)
}

/** Reads a body message by message. */
export const decodeBytes = (bytes: Uint8Array): DecodedBody | WireViolation => {
  try {
    return decodeBody(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch {
    return violation("the body is not UTF-8")
  }
}

/** Nothing but what may stand behind the rows of a snapshot. */
const isClosing = ({ messages, mustRefetch }: DecodedBody): boolean =>
  !mustRefetch && messages.length <= 1 && messages.every(isSnapshotEnd)

const packedBody = (bytes: Uint8Array, found: FoundRows, rest: DecodedBody): DecodedBody => {
  const end = rest.messages[0]
  let messages: ReadonlyArray<Message> | null = null
  const { columns, count, spans } = found
  const packed: PackedRows = {
    bytes,
    columns,
    count,
    spans,
    snapshotEnd: end !== undefined && isControl(end) ? end : null,
    messages: () => (messages ??= unpack(bytes)),
  }
  const { lastSeenLsn, upToDate } = rest
  return withContent({ _tag: "Body", upToDate, lastSeenLsn, mustRefetch: false } as const, {
    packed,
    messages: [],
  })
}

const unpack = (bytes: Uint8Array): ReadonlyArray<Message> => {
  const body = decodeBytes(bytes)
  if (body._tag === "Violation") throw new Error(`a packed body is not readable: ${body.message}`)
  return body.messages
}

/** Reads a body. An empty body is no messages, as the official client reads it. */
export const decodeBody = (text: string): DecodedBody | WireViolation => {
  let list: unknown
  try {
    list = text === "" ? [] : JSON.parse(text)
  } catch (cause) {
    return violation(`the body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  if (!Array.isArray(list)) return violation(`the body is not an array but ${kindOf(list)}`)
  return decodeList(list)
}

const decodeList = (list: ReadonlyArray<unknown>): DecodedBody | WireViolation => {
  const messages: Array<Message> = []
  let upToDate = false
  let lastSeenLsn: string | null = null
  let mustRefetch = false
  for (let index = 0; index < list.length; index += 1) {
    const entry = list[index]
    if (!isRecord(entry) || !isRecord(entry["headers"])) return violation(`message ${index} has no headers`)
    const { headers } = entry
    upToDate = headers["control"] === Control.upToDate
    if (upToDate) {
      const lsn = headers["global_last_seen_lsn"]
      lastSeenLsn = typeof lsn === "string" ? lsn : null
    } else if (headers["control"] === Control.mustRefetch) {
      mustRefetch = true
    } else {
      const problem = checkMessage(entry, headers)
      if (problem !== null && problem !== "unknown") return violation(`message ${index} ${problem}`)
      if (problem === null) messages.push(entry as unknown as Message)
    }
  }
  return { _tag: "Body", messages, upToDate, lastSeenLsn, mustRefetch }
}

/** Null when the message is one we know and well formed; `"unknown"` when it is to be skipped; else what is wrong with it. */
const checkMessage = (entry: Record<string, unknown>, headers: Record<string, unknown>): string | null => {
  if ("key" in entry) return checkChange(entry, headers)
  if ("control" in headers)
    return headers["control"] === Control.snapshotEnd ? checkSnapshotEnd(headers) : "unknown"
  if (headers["event"] === MoveEvent.moveOut || headers["event"] === MoveEvent.moveIn) {
    return Array.isArray(headers["patterns"]) && headers["patterns"].every(isPattern)
      ? null
      : "is an event without patterns"
  }
  return "unknown"
}

const checkChange = (entry: Record<string, unknown>, headers: Record<string, unknown>): string | null => {
  if (typeof entry["key"] !== "string") return "has a key that is not text"
  const operation = headers["operation"]
  if (operation !== Operation.insert && operation !== Operation.update && operation !== Operation.delete)
    return "unknown"
  const value = entry["value"]
  if (!isRecord(value)) return `is a change without a value (${entry["key"]})`
  for (const column in value) {
    const field = value[column]
    if (field !== null && typeof field !== "string")
      return `has column ${column} as ${kindOf(field)}, not text or null (${entry["key"]})`
  }
  return null
}

const checkSnapshotEnd = (headers: Record<string, unknown>): string | null =>
  typeof headers["xmin"] === "string" &&
  typeof headers["xmax"] === "string" &&
  Array.isArray(headers["xip_list"])
    ? null
    : "is a snapshot-end without xmin, xmax and xip_list"

const isPattern = (pattern: unknown): boolean =>
  isRecord(pattern) && typeof pattern["pos"] === "number" && typeof pattern["value"] === "string"

/**
 * Whether `after` stands before `before` in a shape's log. Offsets that do not read as `tx_op` never count as a regression:
 * they are opaque (protocol reference §3.4).
 */
export const isRegression = (before: string, after: string): boolean => {
  const left = parseOffset(before)
  const right = parseOffset(after)
  if (left === null || right === null) return false
  if (left.transaction !== right.transaction) return right.transaction < left.transaction
  if (left.operation === "inf" || right.operation === "inf")
    return left.operation === "inf" && right.operation !== "inf"
  return right.operation < left.operation
}

const parseOffset = (
  offset: string,
): { readonly transaction: bigint; readonly operation: bigint | "inf" } | null => {
  if (offset === "-1") return { transaction: -1n, operation: 0n }
  const match = /^(\d+)_(\d+|inf)$/.exec(offset)
  if (match?.[1] === undefined || match[2] === undefined) return null
  return { transaction: BigInt(match[1]), operation: match[2] === "inf" ? "inf" : BigInt(match[2]) }
}

const violation = (message: string): WireViolation => ({ _tag: "Violation", message })

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const kindOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`
