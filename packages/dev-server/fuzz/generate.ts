/**
 * Makes requests from a seed: most of them sensible, so that they reach deep, with something odd in many. What was asked
 * of the filter is kept beside the request, so that the judge can ask Postgres about every row that comes back. Pure.
 */
import type { Seeded } from "@espalier/engine/testing"
import {
  conditions,
  broken,
  oddTexts,
  tables,
  badTables,
  offsets,
  columns,
  orders,
  methods,
  paths,
} from "./vocabulary.ts"

/** A request. */
export interface FuzzRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** The shape's filter as SQL over `table`, where rows of the answer can be held to it. */
  readonly filter: { readonly table: string; readonly sql: string; readonly hasSubquery: boolean } | null
}

/** Handles and offsets seen in answers, for requests that go on from them. */
export interface Seen {
  readonly query: string
  readonly handle: string
  readonly offset: string
  readonly filter: FuzzRequest["filter"]
}

const add = (query: URLSearchParams, name: string, value: string | null): void => {
  if (value !== null) query.append(name, value)
}

/** Where a request may go on from, beside new shapes. */
export const makeRequest = (rng: Seeded, seen: ReadonlyArray<Seen>): FuzzRequest => {
  if (seen.length > 0 && rng.chance(0.35)) return goOn(rng, rng.pick(seen))
  const query = new URLSearchParams()
  const filter = addDefinition(rng, query)
  add(query, "offset", rng.chance(0.97) ? rng.pick(offsets) : null)
  add(
    query,
    "handle",
    rng.chance(0.15) ? rng.pick(["123-456", ...seen.map(({ handle }) => handle), ...oddTexts]) : null,
  )
  addNoise(rng, query)
  const body = rng.chance(0.1) ? someBody(rng) : null
  const hasSubset = [...query.keys()].some((key) => key.startsWith("subset"))
  return {
    method: body !== null && rng.chance(0.8) ? "POST" : rng.chance(0.08) ? rng.pick(methods) : "GET",
    path: `${rng.chance(0.08) ? rng.pick(paths) : "/v1/shape"}?${query}`,
    headers: someHeaders(rng),
    body,
    filter: hasSubset && query.has("columns") ? null : filter,
  }
}

/** The next request of a client that holds a handle, mostly well behaved. */
const goOn = (rng: Seeded, { filter, handle, offset, query }: Seen): FuzzRequest => {
  const next = new URLSearchParams(query)
  next.set("handle", rng.chance(0.95) ? handle : `${handle}1`)
  next.set("offset", rng.chance(0.9) ? offset : rng.pick(offsets))
  if (rng.chance(0.3)) next.set("live", rng.pick(["true", "false", "", "x"]))
  if (rng.chance(0.1)) next.set("live_sse", "true")
  if (rng.chance(0.1)) next.set("cursor", rng.pick(["5", "999999999", "-1", "x", ...oddTexts]))
  return { method: "GET", path: `/v1/shape?${next}`, headers: someHeaders(rng), body: null, filter }
}

const addDefinition = (rng: Seeded, query: URLSearchParams): FuzzRequest["filter"] => {
  const isPlain = rng.chance(0.85)
  const table = isPlain ? rng.pick(["items", "items", "items", ...tables]) : rng.pick(badTables)
  add(query, "table", rng.chance(0.98) ? table : null)
  const isItems = ["items", "public.items", "ITEMS", '"items"'].includes(table)
  let sql = "true"
  if (isItems && rng.chance(0.6)) {
    const [where, ...params] = rng.pick(conditions)
    query.append("where", where)
    for (const [index, value] of params.entries()) query.append(`params[${index + 1}]`, value)
    sql = params.reduce(
      (text, value, index) => text.replaceAll(`$${index + 1}`, `'${value.replaceAll("'", "''")}'`),
      where,
    )
  } else if (rng.chance(0.3)) {
    query.append("where", rng.pick([...broken, ...oddTexts]))
    return null
  }
  if (rng.chance(0.15)) query.append("columns", rng.pick([...columns, ...oddTexts]))
  if (rng.chance(0.06)) query.append("queryable_columns", rng.pick(columns))
  if (rng.chance(0.15)) query.append("replica", rng.pick(["full", "default", "both"]))
  if (rng.chance(0.1)) query.append("log", rng.pick(["full", "changes_only", "none"]))
  return isItems ? { table: "items", sql, hasSubquery: sql.includes("SELECT") } : null
}

const noise = [
  "live",
  "live_sse",
  "secret",
  "params",
  "params[]",
  "params[x]",
  "subset",
  "subset[where]",
  "experimental_compaction",
  "cursor",
  "source_id",
  "x[y][z]",
  "[",
  "offset[]",
  "table[a]",
]

const addNoise = (rng: Seeded, query: URLSearchParams): void => {
  while (rng.chance(0.15)) query.append(rng.pick(noise), rng.pick(oddTexts))
  if (!rng.chance(0.12)) return
  query.append("subset__where", rng.pick(["id > 3", "true or true", "id = $1", "n = 1) or (true", ...broken]))
  if (rng.chance(0.4))
    query.append("subset__params", rng.pick(['{"1":"5"}', "{", '{"x":1}', '{"1":{}}', "[]"]))
  if (rng.chance(0.4)) query.append("subset__order_by", rng.pick(orders))
  if (rng.chance(0.4)) query.append("subset__limit", rng.pick(["1", "0", "-1", "x", "99999999999999999999"]))
  if (rng.chance(0.2)) query.append("subset__offset", rng.pick(["1", "0", "-1", "x"]))
}

const someBody = (rng: Seeded): string =>
  rng.pick([
    "",
    "{",
    "[]",
    "null",
    "5",
    '"x"',
    "{}",
    '{"where":"id > 2"}',
    '{"where":"id = $1","params":{"1":"3"},"order_by":"id","limit":2}',
    '{"table":"members"}',
    '{"subset":{"where":"true"},"where":"true"}',
    '{"subset":[]}',
    '{"subset":5}',
    '{"__proto__":{"where":"true"}}',
    `{"where":"${"x".repeat(70_000)}"}`,
    `${"[".repeat(50_000)}`,
    '{"limit":1e400}',
    '{"where":{"a":1}}',
    "\u0000\u0001",
  ])

const someHeaders = (rng: Seeded): Record<string, string> => {
  const headers: Record<string, string> = {}
  if (rng.chance(0.1)) headers["origin"] = rng.pick(["http://app.example", "null", "x"])
  if (rng.chance(0.1)) headers["if-none-match"] = rng.pick(["*", '"a"', 'W/"a"', '"a", "b"', ",", '"'])
  if (rng.chance(0.05)) headers["accept"] = rng.pick(["text/event-stream", "*/*", ""])
  if (rng.chance(0.03)) headers["host"] = rng.pick(["evil.example", "localhost", "a b"])
  if (rng.chance(0.03)) headers["x-espalier-dev"] = rng.pick(["wrong", ""])
  if (rng.chance(0.02)) headers["x-long"] = "y".repeat(rng.pick([10, 20_000]))
  if (rng.chance(0.02)) headers["content-type"] = rng.pick(["text/plain", "application/json", ";"])
  return headers
}
