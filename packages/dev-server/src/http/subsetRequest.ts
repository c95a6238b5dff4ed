/**
 * Reads the subset of a request, from `subset__*` parameters or from the body of a POST (protocol reference §1.2, §4.9).
 * The body may hold subset keys and nothing else: Electric lets it override table, columns and condition of the URL, which
 * would take a proxy's authority away. Pure.
 */
import { Param } from "@espalier/engine/wire"
import type { SubsetRequest } from "../shapes/subset.ts"
import type { Query } from "./query.ts"

/** Subset values as they came: texts from a URL, any JSON from a body. */
export type RawSubset = ReadonlyMap<string, unknown>

/** Errors by field of the subset; some of Postgres's are a text instead of a list, as Electric has it. */
export type SubsetErrors = Readonly<Record<string, ReadonlyArray<string> | string>>

/** Keys of a subset. The `_expr` twins are sent by clients and mean nothing to the server. */
const keys: ReadonlySet<string> = new Set([
  "where",
  "params",
  "limit",
  "offset",
  "order_by",
  "where_expr",
  "order_by_expr",
])

/** The subset a query asks for, or `null`. `subset[where]` is a second spelling of `subset__where`. */
export const subsetOfQuery = (query: Query): RawSubset | null => {
  const found = new Map<string, unknown>()
  const bracketed = query.get("subset")
  if (typeof bracketed === "object") for (const [key, value] of bracketed) found.set(key, value)
  for (const [name, value] of query) {
    if (name.startsWith(Param.subsetPrefix)) found.set(name.slice(Param.subsetPrefix.length), value)
  }
  return [...found.keys()].some((key) => keys.has(key)) ? found : null
}

/** What a body asks for. `refused` are keys that must not be there; `isInvalid`: its `subset` is no object. */
export interface BodyReading {
  readonly subset?: RawSubset | null
  readonly refused?: ReadonlyArray<string>
  readonly isInvalid?: boolean
  readonly error?: string
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Reads the text of a body; an empty one asks for nothing. */
export const subsetOfBody = (text: string): BodyReading => {
  if (text.trim() === "") return { subset: null }
  const body = parseJson(text)
  if (body === undefined) return { error: "Request body is not valid JSON" }
  if (!isObject(body)) return { error: "Request body must be a JSON object" }
  const { subset, ...top } = body
  const names = Object.keys(top)
  const nested = isObject(subset) ? Object.keys(subset) : []
  const isBoth = subset !== undefined && subset !== null
  const refused = [
    ...names.filter((name) => isBoth || !keys.has(name)),
    ...nested.filter((name) => !keys.has(name)).map((name) => `subset.${name}`),
  ]
  if (refused.length > 0) return { refused }
  if (isObject(subset)) return { subset: new Map(Object.entries(subset)) }
  // Electric takes a list for an empty object.
  if (isBoth) return Array.isArray(subset) ? { subset: new Map() } : { isInvalid: true }
  return { subset: names.length === 0 ? null : new Map(Object.entries(top)) }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // No value of JSON is `undefined`, so it stands for text that is none.
    return undefined
  }
}

/** A well-formed subset, or what is wrong with it. */
export type SubsetReading =
  | { readonly subset: SubsetRequest; readonly errors?: never }
  | { readonly errors: SubsetErrors; readonly subset?: never }

/** Validates what needs no table. */
export const readSubset = (raw: RawSubset): SubsetReading => {
  const errors: Record<string, ReadonlyArray<string>> = {}
  const text = (name: string): string | null => {
    const value = raw.get(name) ?? null
    if (value !== null && typeof value !== "string") errors[name] = ["is invalid"]
    return typeof value === "string" && value.trim() !== "" ? value : null
  }
  const whole = (name: string, low: number, words: string): number | null => {
    const value = raw.get(name) ?? null
    if (value === null || value === "") return null
    const isNumber = typeof value === "string" ? /^[+-]?\d+$/u.test(value) : Number.isInteger(value)
    const number = Number(value)
    if (!isNumber) errors[name] = ["is invalid"]
    else if (number < low) errors[name] = [words]
    return Math.min(number, Number.MAX_SAFE_INTEGER)
  }
  const where = text("where")
  const orderBy = text("order_by")
  const limit = whole("limit", 1, "must be greater than 0")
  const offset = whole("offset", 0, "must be greater than or equal to 0")
  const params = readParams(raw.get("params") ?? null, where !== null)
  if (typeof params === "string") errors["params"] = [params]
  if (isEmpty(errors) && orderBy === null && (limit !== null || offset !== null)) {
    errors["order_by"] = ["order_by is required when limit or offset is present"]
  }
  return isEmpty(errors) && typeof params !== "string"
    ? { subset: { where, params, orderBy, limit, offset } }
    : { errors }
}

const isEmpty = (errors: Readonly<Record<string, unknown>>): boolean => Object.keys(errors).length === 0

/** Parameters by number, or the words of what is wrong. Keys matter only where a condition uses them. */
const readParams = (value: unknown, isUsed: boolean): ReadonlyMap<number, string> | string => {
  if (value === null || value === "") return new Map()
  const given = typeof value === "string" ? parseJson(value) : value
  if (given === undefined) return "params must be valid JSON"
  if (!isObject(given)) return typeof value === "string" ? "params must be a JSON object" : "is invalid"
  const entries = Object.entries(given)
  if (entries.some(([, one]) => typeof one === "object" && one !== null)) return "is invalid"
  if (!isUsed) return new Map()
  if (entries.some(([key]) => !/^-?\d+$/u.test(key))) return "Parameters can only use numbers as keys"
  const numbers = entries.map(([key]) => Number(key)).toSorted((a, b) => a - b)
  if (numbers.some((number, index) => number !== index + 1)) {
    return "Parameters must be numbered sequentially, starting from 1"
  }
  return new Map(entries.map(([key, one]) => [Number(key), one === null ? "" : String(one)]))
}
