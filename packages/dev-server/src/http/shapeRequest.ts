/**
 * Validates a request to `/v1/shape`, stage by stage: only the first broken stage is reported, with Electric's fields and
 * words (protocol reference §1.2). Says nothing about whether table and condition exist. Pure.
 */
import { Param } from "@espalier/engine/wire"
import type { DefinitionRequest } from "../shapes/Definition.ts"
import { type Offset, parseOffset } from "../shapes/offset.ts"
import type { SubsetRequest } from "../shapes/subset.ts"
import type { Query } from "./query.ts"
import { type RawSubset, readSubset, type SubsetErrors } from "./subsetRequest.ts"

/** A well-formed request. */
export interface ShapeRequest {
  readonly offset: Offset | "now"
  readonly handle: string | null
  readonly isLive: boolean
  readonly isSse: boolean
  readonly cursor: string | null
  readonly definition: DefinitionRequest
  /** Present for requests of a subset. */
  readonly subset: SubsetRequest | null
}

/** The `errors` of a 400. */
export type FieldErrors = Readonly<Record<string, ReadonlyArray<string> | SubsetErrors>>

/** Outcome of reading a request. */
export type Reading =
  | { readonly request: ShapeRequest; readonly errors?: never }
  | { readonly errors: FieldErrors; readonly request?: never }

const scalars = [
  Param.table,
  Param.offset,
  Param.handle,
  Param.cursor,
  Param.where,
  Param.columns,
  Param.queryableColumns,
  Param.replica,
  Param.log,
]

/** Reads and validates. `rawSubset` is the subset of the query or the body. */
export const readShapeRequest = (query: Query, rawSubset: RawSubset | null = null): Reading => {
  const text = (name: string): string | null => {
    const value = query.get(name)
    return typeof value === "string" && value.trim() !== "" ? value : null
  }
  const subset = rawSubset === null ? null : readSubset(rawSubset)
  const typeErrors = {
    ...readTypeErrors(query, text),
    ...(subset?.errors === undefined ? {} : { subset: subset.errors }),
  }
  if (Object.keys(typeErrors).length > 0) return { errors: typeErrors }
  const offset = parseOffset(text(Param.offset) ?? "")
  if (offset === null) return failed(Param.offset, "has invalid format")
  const isReal = offset !== "now" && offset.tx >= 0
  const handle = isReal ? text(Param.handle) : null
  if (isReal && handle === null) return failed(Param.handle, "can't be blank when offset != -1")
  const isLive = isTrue(query, Param.live)
  const sse = query.has(Param.liveSse) ? Param.liveSse : Param.experimentalLiveSse
  if (isLive && offset === "now") return failed(Param.live, "can't be true when offset is 'now'")
  if (isLive && !isReal) return failed(Param.live, "can't be true when offset == -1")
  const isSse = isTrue(query, sse)
  if (isSse && !isLive) return failed(Param.liveSse, "can't be true unless live is also true")
  const table = text(Param.table)
  if (table === null) return failed(Param.table, "can't be blank")
  const where = text(Param.where)
  const params = where === null ? new Map<number, string>() : readParams(query)
  if (typeof params === "string") return failed(Param.params, params)
  return {
    request: {
      offset,
      handle,
      isLive,
      isSse,
      cursor: text(Param.cursor),
      subset: subset?.subset ?? null,
      definition: {
        table,
        where,
        params,
        columns: text(Param.columns),
        queryable: text(Param.queryableColumns),
        replica: text(Param.replica) === "full" ? "full" : "default",
        log: text(Param.log) === "changes_only" ? "changes_only" : "full",
      },
    },
  }
}

/** Understood and ignored: it changes only how Electric stores a log. */
const compactionParam = "experimental_compaction"

const failed = (field: string, message: string): Reading => ({ errors: { [field]: [message] } })

const readTypeErrors = (query: Query, text: (name: string) => string | null): FieldErrors => {
  const errors: Record<string, ReadonlyArray<string>> = {}
  for (const name of scalars) if (typeof query.get(name) === "object") errors[name] = ["is invalid"]
  const params = query.get(Param.params)
  if (typeof params === "string" || (typeof params === "object" && hasBadKey(params)))
    errors[Param.params] = ["is invalid"]
  const replica = text(Param.replica)
  if (replica !== null && replica !== "default" && replica !== "full") errors[Param.replica] = ["is invalid"]
  const log = text(Param.log)
  if (log !== null && log !== "full" && log !== "changes_only") errors[Param.log] = ["is invalid"]
  const compaction = text(compactionParam)
  if (compaction !== null && !["true", "false", "1", "0"].includes(compaction))
    errors[compactionParam] = ["is invalid"]
  if (errors[Param.offset] === undefined && text(Param.offset) === null)
    errors[Param.offset] = ["can't be blank"]
  return errors
}

const hasBadKey = (params: ReadonlyMap<string, string>): boolean =>
  [...params.keys()].some((key) => key === "" || key.includes("["))

/** Any value but `false` is true, the empty one included. */
const isTrue = (query: Query, name: string): boolean => {
  const value = query.get(name)
  return value !== undefined && value !== "false"
}

const readParams = (query: Query): ReadonlyMap<number, string> | string => {
  const given = query.get(Param.params)
  const params = new Map<number, string>()
  if (given === undefined || typeof given === "string") return params
  const keys = [...given.keys()]
  if (keys.some((key) => !/^-?\d+$/u.test(key))) return "Parameters can only use numbers as keys"
  const numbers = keys.map(Number).toSorted((a, b) => a - b)
  if (numbers.some((number, index) => number !== index + 1)) {
    return "Parameters must be numbered sequentially, starting from 1"
  }
  for (const [key, value] of given) if (String(Number(key)) === key) params.set(Number(key), value)
  return params
}
