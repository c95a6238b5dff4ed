/**
 * Makes requests to attack with: each starts as one a real client could send, for the caller's own rows or for somebody else's, and is then bent
 * by up to five mutations of path, encoding, parameters, body, headers and credentials. Pure; the seed decides everything.
 */
import type { Seeded } from "@espalier/engine/testing"
import { companies, people } from "./world.ts"

/** Whose token a request carries. `null`: none, or one that is nobody's. */
export interface Caller {
  readonly userId: string | null
  /** How the token is presented, for `tokenOf` of the run. */
  readonly token: "valid" | "expired" | "forged" | "garbage" | "none"
}

/** A request before it is sent. */
export interface Draft {
  method: string
  path: string
  /** Names and values of the query, already encoded. */
  readonly query: Array<readonly [name: string, value: string]>
  readonly headers: Record<string, string>
  body: string | null
  caller: Caller
}

const nodes = ["memberships", "companies", "members", "people", "docs", "mine", "news"] as const
const bindingOf: Readonly<Record<string, string>> = {
  companies: "b.id",
  members: "b.company_id",
  people: "b.company_id",
  docs: "b.company_id",
}

/** Words that mean something to Electric, to the gateway, or to JavaScript. */
const names = [
  "table", "where", "columns", "queryable_columns", "params", "params[1]", "params[2]", "replica", "secret", "api_secret",
  "source_id", "subset__where", "subset__params", "subset__limit", "subset__order_by", "subset__where_expr", "subset[where]",
  "subset[params][1]", "experimental_compaction", "node", "def", "b.company_id", "b.id", "b.user_id", "p.userId", "p.kind",
  "p.__proto__", "b.__proto__", "__proto__", "constructor", "toString", "offset", "handle", "live", "live_sse", "cursor", "log",
  "expired_handle", "cache-buster", "database_id", "x", "",
] as const // oxfmt-ignore

const values = [
  "true", "1=1", "true) or (true", "company_id is not null", "1' or '1'='1", "docs", "vault", "hidden", "id,hidden", "*", "full",
  "changes_only", "-1", "0_0", "0_inf", "now", "999999999_0", "1-1", "../vault", "public.vault", "%00", "\u0000", "null", "{}",
  "[]", "a", "b", "x".repeat(300), "x".repeat(3_000), "\uff07 or true --", "💥",
] as const // oxfmt-ignore

const paths = [
  "/v1/shape/", "/v1//shape", "/v1/shape/..", "/v1/shape/../shape", "/v1/%73hape", "/V1/SHAPE", "/v1/shape;x=1", "/v1/shape%2f",
  "/v1/shape%00", "/v1/shape/vault", "//v1/shape", "/v1/health", "/", "/sql", "/v1/./shape", "/v1\\shape",
] as const // oxfmt-ignore

/** Another spelling of a name that a careless reader takes for the same. */
const respell = (random: Seeded, name: string): string => {
  const at = random.below(Math.max(1, name.length))
  const hex = (text: string): string =>
    [...new TextEncoder().encode(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")
  return random.pick([
    encodeURIComponent(name),
    name.replaceAll(" ", "+"),
    hex(name),
    encodeURIComponent(hex(name)),
    encodeURIComponent(name.toUpperCase()),
    `${encodeURIComponent(name)}%00`,
    `%20${encodeURIComponent(name)}`,
    `${encodeURIComponent(name)}%20`,
    `${encodeURIComponent(name)}[]`,
    `${encodeURIComponent(name)}[0]`,
    `${encodeURIComponent(name.slice(0, at))}%E2%80%8B${encodeURIComponent(name.slice(at))}`,
    encodeURIComponent(name).replaceAll("%5B", "[").replaceAll("%5D", "]"),
  ])
}

const respellUuid = (random: Seeded, uuid: string): string =>
  random.pick([
    uuid,
    uuid.toUpperCase(),
    `{${uuid}}`,
    uuid.replaceAll("-", ""),
    `${uuid} `,
    `${uuid}%00`,
    `${uuid}'`,
    encodeURIComponent(`${uuid}' or true--`),
  ])

const tokens = ["expired", "forged", "garbage", "none"] as const

const callerOf = (random: Seeded): Caller => {
  const userId = random.pick(people)
  return random.chance(0.85) ? { userId, token: "valid" } : { userId: null, token: random.pick(tokens) }
}

/** A request that a client of this graph could send, to rows that may be anybody's. */
const plain = (random: Seeded, caller: Caller): Draft => {
  const node = random.pick(nodes)
  const query: Array<readonly [string, string]> = [["node", node]]
  const binding = bindingOf[node]
  if (binding !== undefined) query.push([binding, random.pick(companies)])
  if (node === "mine") query.push(["p.kind", random.pick(["a", "b", "c"])])
  query.push(["offset", random.chance(0.8) ? "-1" : random.pick(["0_0", "0_inf", "now"])])
  return { method: "GET", path: "/v1/shape", query, headers: {}, body: null, caller }
}

type Mutation = (random: Seeded, draft: Draft) => void

const insert = (random: Seeded, draft: Draft, pair: readonly [string, string]): void => {
  draft.query.splice(random.below(draft.query.length + 1), 0, pair)
}
const replace = (
  random: Seeded,
  draft: Draft,
  change: (pair: readonly [string, string]) => readonly [string, string],
): void => {
  const at = random.below(draft.query.length)
  const pair = draft.query[at]
  if (pair !== undefined) draft.query[at] = change(pair)
}
const anyValue = (random: Seeded): string =>
  random.chance(0.3)
    ? respellUuid(random, random.pick([...companies, ...people]))
    : random.chance(0.5)
      ? encodeURIComponent(random.pick(values))
      : random.pick(values).replaceAll(/[#&\s\\]/g, "+")

const mutations: ReadonlyArray<Mutation> = [
  (random, draft) => insert(random, draft, [encodeURIComponent(random.pick(names)), anyValue(random)]),
  (random, draft) => insert(random, draft, [respell(random, random.pick(names)), anyValue(random)]),
  // A name that is there already, with another value.
  (random, draft) => insert(random, draft, [random.pick(draft.query)?.[0] ?? "node", anyValue(random)]),
  (random, draft) => replace(random, draft, ([name]) => [name, anyValue(random)]),
  (random, draft) => replace(random, draft, ([name, value]) => [respell(random, name), value]),
  (random, draft) => replace(random, draft, ([name]) => [name, respellUuid(random, random.pick(companies))]),
  (random, draft) =>
    void draft.query.splice(random.below(draft.query.length), draft.query.length > 1 ? 1 : 0),
  (random, draft) => {
    draft.path = random.pick(paths)
  },
  (random, draft) => {
    draft.method = random.pick(["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "QUERY"])
    if (["POST", "PUT", "PATCH", "QUERY"].includes(draft.method)) {
      draft.body = random.pick([
        '{"table":"vault","where":"true"}',
        '{"subset":{"where":"true"},"where":"true","params":{"1":"x"}}',
        '{"columns":["hidden"]}',
        "[[[[",
        "",
      ])
      draft.headers["content-type"] = "application/json"
    }
  },
  (random, draft) => {
    const [name, value] = random.pick([
      ["x-http-method-override", "POST"],
      ["x-original-url", "/v1/shape?table=vault&offset=-1"],
      ["x-rewrite-url", "/v1/shape?table=vault&offset=-1"],
      ["x-forwarded-for", "127.0.0.1"],
      ["x-user-id", random.pick(people)],
      ["cookie", `userId=${random.pick(people)}`],
      ["accept", "text/event-stream"],
      ["if-none-match", "*"],
      ["origin", "https://evil.test"],
      ["traceparent", "table=vault"],
      ["range", "bytes=0-10"],
      ["electric-secret", "x"],
    ] as const)
    draft.headers[name] = value
  },
  (random, draft) => {
    draft.caller = { userId: null, token: random.pick(tokens) }
  },
]

/** Request number `n` of a run. `handles` are handles that earlier answers gave to anybody: replayed by anybody else. */
export const generate = (random: Seeded, handles: ReadonlyArray<string>): Draft => {
  const draft = plain(random, callerOf(random))
  if (handles.length > 0 && random.chance(0.2)) {
    draft.query.push(["handle", encodeURIComponent(random.pick(handles))])
    if (random.chance(0.5))
      replace(random, draft, ([name, value]) => [name, name === "offset" ? "0_0" : value])
    if (random.chance(0.2)) draft.query.push(["live", "true"])
  }
  for (let left = random.below(6); left > 0; left -= 1) random.pick(mutations)(random, draft)
  return draft
}

/** The request line's target. */
export const targetOf = ({ path, query }: Pick<Draft, "path" | "query">): string =>
  `${path}?${query.map(([name, value]) => `${name}=${value}`).join("&")}`
