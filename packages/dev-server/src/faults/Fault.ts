/**
 * What can be made to go wrong on purpose: one fault says what happens and to which requests. Read from the command line
 * and from the control API by the same rules. Pure.
 */

/** What happens to a request. `latency` may come together with one of the others. */
export type FaultKind = "latency" | "drop" | "reset" | "status" | "stale"

/** Statuses a fault may answer. */
export const faultStatuses = [409, 429, 503] as const

/** One fault. */
export interface Fault {
  /**
   * `latency`: the answer comes `millis` later. `drop`: the connection is cut without an answer. `reset`: it is cut in the
   * middle of the body. `status`: the answer is `status`; a 409 makes the
   * request's handle void, too. `stale`: the first answer of each URL is given again and again, as a
   * cache in front would that never asks.
   */
  readonly kind: FaultKind
  readonly millis: number
  readonly status: (typeof faultStatuses)[number]
  /** Seconds in `retry-after`; `null` for no such header. */
  readonly retryAfter: number | null
  /** Only requests that name this table, spelled the same; `null` for all. */
  readonly table: string | null
  /** Only requests with this handle; `null` for all. */
  readonly handle: string | null
  /** Only live requests, or only others; `null` for all. */
  readonly live: boolean | null
  /** Share of the requests it happens to, from 0 to 1. */
  readonly rate: number
  /** How often it happens before it is over; `null` for ever. */
  readonly times: number | null
}

/** A fault, or the sentence that says what is wrong with it. */
export type FaultReading =
  | { readonly fault: Fault; readonly problem?: never }
  | { readonly problem: string; readonly fault?: never }

const kinds: ReadonlyArray<FaultKind> = ["latency", "drop", "reset", "status", "stale"]

const known = new Set(["kind", "millis", "status", "retryAfter", "table", "handle", "live", "rate", "times"])

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Longest delay; a longer one is a drop. */
const maxMillis = 3_600_000

/** Reads a fault from JSON. */
export const readFault = (value: unknown): FaultReading => {
  if (!isObject(value)) return { problem: "A fault must be a JSON object" }
  const unknown = Object.keys(value).filter((key) => !known.has(key))
  if (unknown.length > 0) return { problem: `A fault has no ${unknown.join(", ")}` }
  const kind = kinds.find((one) => one === value["kind"])
  if (kind === undefined) return { problem: `kind must be one of ${kinds.join(", ")}` }
  const problems: Array<string> = []
  const number = (name: string, low: number, high: number, isWhole: boolean): number | null => {
    const given = value[name] ?? null
    if (given === null) return null
    if (typeof given === "number" && given >= low && given <= high && (!isWhole || Number.isInteger(given)))
      return given
    problems.push(`${name} must be a ${isWhole ? "whole " : ""}number from ${low} to ${high}`)
    return null
  }
  const text = (name: string): string | null => {
    const given = value[name] ?? null
    if (given === null || typeof given === "string") return given
    problems.push(`${name} must be a text`)
    return null
  }
  const millis = number("millis", 0, maxMillis, true)
  const status = faultStatuses.find((one) => one === value["status"])
  if (kind === "latency" && millis === null && problems.length === 0) problems.push("latency needs millis")
  if (kind === "status" && status === undefined) {
    problems.push(`status must be one of ${faultStatuses.join(", ")}`)
  }
  const live = value["live"] ?? null
  if (live !== null && typeof live !== "boolean") problems.push("live must be true or false")
  const fault: Fault = {
    kind,
    millis: millis ?? 0,
    status: status ?? 503,
    retryAfter: number("retryAfter", 0, 3_600, true),
    table: text("table"),
    handle: text("handle"),
    live: typeof live === "boolean" ? live : null,
    rate: number("rate", 0, 1, false) ?? 1,
    times: number("times", 1, 1_000_000_000, true),
  }
  return problems.length > 0 ? { problem: problems.join("; ") } : { fault }
}

/** Reads a fault as an option spells it: `latency=200,table=notes,rate=0.5` or `status=503,retry-after=2,times=3`. */
export const readFaultOption = (option: string): FaultReading => {
  const object: Record<string, unknown> = {}
  for (const [index, part] of option.split(",").entries()) {
    const at = part.indexOf("=")
    const name = (at < 0 ? part : part.slice(0, at)).trim()
    const value = at < 0 ? null : part.slice(at + 1).trim()
    if (index === 0) object["kind"] = name
    if (index === 0 && name === "latency") object["millis"] = toNumber(value)
    else if (index === 0 && name === "status") object["status"] = toNumber(value)
    else if (index > 0) object[name === "retry-after" ? "retryAfter" : name] = toValue(name, value)
  }
  return readFault(object)
}

const toNumber = (value: string | null): unknown => (value === null || value === "" ? null : Number(value))

const toValue = (name: string, value: string | null): unknown => {
  if (name === "live") return value === null || value === "true" ? true : value === "false" ? false : value
  return name === "table" || name === "handle" ? value : toNumber(value)
}
