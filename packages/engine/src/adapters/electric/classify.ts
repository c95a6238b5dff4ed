/**
 * Turns a failed answer, or the lack of one, into a reason the state machine can act on. Exists so that the decision "wait,
 * ask for credentials, or give up" is one pure table, tested as a table. It reads no clock and makes no request; the request
 * module calls it. Messages carry the server's words, never a URL: a URL may hold a secret.
 */
import {
  Forbidden,
  Network,
  Overloaded,
  ProtocolViolation,
  SchemaMismatch,
  ShapeRejected,
  Unauthorised,
  type ShapeErrorReason,
} from "../../protocol/ShapeError.ts"
import { GatewayCode } from "../../protocol/constants.ts"

/** An answer that is not 2xx and not 409. */
export interface FailedAnswer {
  readonly status: number
  /** The `retry-after` header: seconds or an HTTP date. */
  readonly retryAfter: string | null
  readonly body: string
}

/** A server may ask for a pause of at most this long; more is taken for a mistake. */
export const maxRetryAfterMillis = 3_600_000
/** The server's words are cut here: a proxy's error page is not a message. */
export const maxWordsLength = 500

/**
 * The reason behind a failed answer. `nowMillis` is only needed to read a `retry-after` date.
 *
 * 407, 408, 425, 502, 504 and 511 come from something between us and the server (as do an unreachable upstream's codes): Network.
 * Other 5xx and 429: Overloaded. Other 4xx: the server refuses, in its own words.
 */
export const classifyAnswer = (answer: FailedAnswer, nowMillis: number): ShapeErrorReason => {
  const { status } = answer
  const error = readBody(answer.body)
  const message =
    error.words === "" ? `the server answered ${status}` : `the server answered ${status}: ${error.words}`
  if (error.code === GatewayCode.upstreamUnreachable || betweenStatuses.has(status))
    return new Network({ message })
  if (error.code === GatewayCode.schemaMismatch && status < 500) return new SchemaMismatch({ message })
  if (status === 401) return new Unauthorised({ message })
  if (status === 403) return new Forbidden({ revoked: error.code === GatewayCode.revoked, message })
  if (status === 429 || status >= 500) {
    const retryAfterMillis = parseRetryAfter(answer.retryAfter, nowMillis)
    return new Overloaded({ status, message, ...(retryAfterMillis === null ? {} : { retryAfterMillis }) })
  }
  if (status >= 400) return new ShapeRejected({ status, message })
  return new ProtocolViolation({ message: `unexpected status ${status}` })
}

const betweenStatuses: ReadonlySet<number> = new Set([407, 408, 425, 502, 504, 511])

/** The reason behind a request that got no answer, or whose body was cut. */
export const classifyFailure = (cause: unknown): ShapeErrorReason =>
  new Network({ message: cut(describeCause(cause)) })

/**
 * Milliseconds to wait at least, from `retry-after` seconds or an HTTP date; null when absent or unreadable. A date in the past is 0;
 * everything is capped at `maxRetryAfterMillis`.
 */
export const parseRetryAfter = (header: string | null, nowMillis: number): number | null => {
  const text = header?.trim() ?? ""
  if (text === "") return null
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Math.ceil(Number(text) * 1000), maxRetryAfterMillis)
  // A date names a weekday or month; `Date.parse` alone would read "-5" as a year.
  const atMillis = /[a-z]{3}/i.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(atMillis)) return null
  return Math.min(Math.max(0, atMillis - nowMillis), maxRetryAfterMillis)
}

/**
 * Code and words of an error body: the gateway's `{code, message}`, Electric's `{message, errors}` or `{error}`, else the text
 * itself unless it is markup.
 */
const readBody = (body: string): { readonly code: string | null; readonly words: string } => {
  const value = parseJson(body)
  if (!isRecord(value)) {
    const text = body.trim()
    return { code: null, words: text.startsWith("<") ? "" : cut(text) }
  }
  const code = typeof value["code"] === "string" ? value["code"] : null
  const words = [value["message"], value["error"]].filter((part) => typeof part === "string")
  return { code, words: cut([...words, ...errorLines(value["errors"])].join("; ")) }
}

/** `{"where": ["At location 3: …"]}` → `where: At location 3: …`; a field's value may be a text, a list or an object. */
const errorLines = (errors: unknown): ReadonlyArray<string> => {
  if (!isRecord(errors)) return []
  return Object.entries(errors).map(([field, value]) => {
    if (Array.isArray(value)) return `${field}: ${value.map(String).join(", ")}`
    return `${field}: ${typeof value === "string" ? value : JSON.stringify(value)}`
  })
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Node hides the useful part ("connect ECONNREFUSED …") behind `cause`. */
const describeCause = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause instanceof Error && cause.cause.message !== "" ? `: ${cause.cause.message}` : ""
  return `${cause.message}${inner}`
}

const cut = (text: string): string =>
  text.length > maxWordsLength ? `${text.slice(0, maxWordsLength)}…` : text
