/** Real Postgres (PGlite) with the demo's own schema and seed: what the endpoints do to it, and what the truth says about it. */
import { readFileSync } from "node:fs"
import { PGlite } from "@electric-sql/pglite"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { Database, TextRow } from "../server/lib/database/Database.ts"
import { prepareDatabase, splitStatements } from "../server/lib/database/prepare.ts"
import type { EndpointAnswer } from "../server/lib/endpoints/Endpoint.ts"
import { endpoints, findEndpoint } from "../server/lib/endpoints/index.ts"
import { HttpProblem } from "../server/lib/http/HttpProblem.ts"
import { graph } from "../shared/graph.ts"

const file = (name: string): string => readFileSync(new URL(`../db/${name}`, import.meta.url), "utf8")
const files = { schema: file("schema.sql"), seed: file("seed.sql") }
const tables = "users, companies, company_members, user_groups, user_group_members, workspaces, folders"

const asIs = (value: string): string => value
/** bool, int8, int2, int4, text, float8, bpchar, timestamptz, uuid, jsonb, json: every type the statements select or take. */
const textual = Object.fromEntries(
  [16, 20, 21, 23, 25, 114, 701, 1042, 1184, 2950, 3802].map((oid) => [oid, asIs]),
)

/** The port on PGlite in process, values as text like both real adapters. */
const pgliteDatabase = (pg: PGlite): Database => ({
  transaction: (statements) =>
    pg.transaction(async (tx) => {
      const results = []
      for (const { sql, params } of statements) {
        const given = (params ?? []).map((value) => (value === null ? null : String(value)))
        const result = await tx.query<TextRow>(sql, given, { parsers: textual, serializers: textual })
        results.push({ rows: result.rows })
      }
      return results
    }),
  close: () => pg.close(),
})

const idOf = (kind: number, n: number): string =>
  `${kind}0000000-0000-4000-8000-${String(n).padStart(12, "0")}`
const person = (n: number): string => idOf(1, n)
const company = (n: number): string => idOf(2, n)
const workspace = (n: number): string => idOf(6, n)
const [amara, jonas] = [person(1), person(2)]

let pg: PGlite
let database: Database

const call = async (
  method: string,
  path: string,
  body: unknown = {},
  as: string | null = amara,
): Promise<EndpointAnswer> => {
  const [pathname = "", search = ""] = path.split("?")
  const { endpoint, params } = findEndpoint(method, pathname)
  const me = (): string => {
    if (as === null) throw new HttpProblem("unauthenticated", "Nobody is signed in.")
    return as
  }
  return endpoint.handle({
    database,
    me,
    params,
    query: Object.fromEntries(new URLSearchParams(search)),
    body,
  })
}

const statusOf = (run: Promise<EndpointAnswer>): Promise<number> =>
  run.then(
    ({ status }) => status,
    (cause: unknown) => {
      if (cause instanceof HttpProblem) return cause.status
      throw cause
    },
  )

type Truth = Readonly<Record<string, ReadonlyArray<TextRow>>>

const truthOf = async (userId: string): Promise<Truth> => {
  const answer = await call("GET", `/truth?userId=${userId}`)
  return (answer.body as { readonly tables: Truth }).tables
}

const idsOf = (rows: ReadonlyArray<TextRow> | undefined): ReadonlyArray<string | null> =>
  (rows ?? []).map((row) => row["id"] ?? null)

beforeAll(async () => {
  pg = await PGlite.create()
  database = pgliteDatabase(pg)
}, 60_000)
afterAll(() => pg.close())
beforeEach(async () => {
  await pg.exec(`drop table if exists ${tables} cascade`)
  await prepareDatabase(database, files)
})

describe("preparing the database", () => {
  it("creates schema and seed where the database is empty, and leaves a used one alone", async () => {
    await pg.exec("delete from companies where slug = 'fieldnote'")
    expect(await prepareDatabase(database, files)).toBe(false)
    const { rows } = await pg.query<{ slug: string }>("select slug from companies order by slug")
    expect(rows.map(({ slug }) => slug)).toEqual(["cobalt-cycles", "harbor-and-pine", "lumen-works"])
  })

  it("keeps the seed's block in one piece", () => {
    expect(splitStatements(files.seed)).toHaveLength(1)
    expect(splitStatements(files.schema).every((sql) => sql.startsWith("create"))).toBe(true)
  })

  it("has every server column the graph asks for", async () => {
    for (const table of Object.values(graph.tables)) {
      const columns = Object.keys(table.columns).map((column) => `"${column}"`)
      const { fields } = await pg.query(`select ${columns.join(", ")} from "${table.from}" limit 0`)
      expect(fields.map(({ name }) => name)).toEqual(Object.keys(table.columns))
    }
  })
})

describe("truth", () => {
  it("holds one entry per local table, with the graph's columns as text, sorted by key", async () => {
    const truth = await truthOf(amara)
    expect(Object.keys(truth)).toEqual(Object.keys(graph.tables))
    for (const table of Object.values(graph.tables)) {
      const rows = truth[table.name] ?? []
      expect(rows.length).toBeGreaterThan(0)
      for (const row of rows) expect(Object.keys(row)).toEqual(Object.keys(table.columns))
      expect(idsOf(rows)).toEqual([...idsOf(rows)].toSorted())
      expect(new Set(idsOf(rows)).size).toBe(rows.length)
    }
    expect(truth["users"]?.[0]).toMatchObject({
      name: "Amara Okafor",
      is_active: "true",
      preferences: '{"theme": "system"}',
      created_at: "2026-01-05 09:00:00+00",
    })
  })

  it("shows a person their own user row, their companies and all colleagues, but nobody else's profile", async () => {
    const truth = await truthOf(amara)
    expect(idsOf(truth["users"])).toEqual([amara])
    expect(idsOf(truth["companies"])).toEqual([company(1), company(2), company(3)])
    expect(idsOf(truth["people"])).toEqual([1, 2, 3, 4, 5, 6].map(person))
    expect(Object.keys(truth["people"]?.[0] ?? {})).toEqual(["id", "name", "avatar_url"])
  })

  it("leaves a person without a company only themselves", async () => {
    const { users, ...rest } = await truthOf(person(7))
    expect(users).toHaveLength(1)
    expect(Object.values(rest).flat()).toEqual([])
  })

  it("drops a revoked company's subtree and keeps people another company shares", async () => {
    const before = await truthOf(amara)
    await call("DELETE", `/memberships/${company(1)}`)
    const after = await truthOf(amara)
    expect(idsOf(after["companies"])).toEqual([company(2), company(3)])
    // Tom is known through Harbor & Pine only; Jonas and Mei through other companies as well.
    expect(idsOf(before["people"])).toContain(person(5))
    expect(idsOf(after["people"])).toEqual([1, 2, 3, 4, 6].map(person))
    expect(after["folders"]?.some((row) => row["workspace_id"] === workspace(1))).toBe(false)
  })

  it("is a 404 for a person who does not exist and a 400 without one", async () => {
    expect(await statusOf(call("GET", `/truth?userId=${person(99)}`))).toBe(404)
    expect(await statusOf(call("GET", "/truth"))).toBe(400)
    expect(await statusOf(call("GET", "/truth?userId=me"))).toBe(400)
  })
})

describe("endpoints", () => {
  it("adds, renames and removes a company with its owner's membership", async () => {
    const made = (await call("POST", "/companies", { name: "Harbor and Pine" })).body as TextRow
    expect(made).toMatchObject({ name: "Harbor and Pine", owner_id: amara })
    expect(made["slug"]).toMatch(/^harbor-and-pine-[0-9a-f]{8}$/)
    expect(idsOf((await truthOf(amara))["companies"])).toContain(made["id"])
    await call("PATCH", `/companies/${made["id"]}`, { name: "Pine" })
    const renamed = (await truthOf(amara))["companies"]?.find((row) => row["id"] === made["id"])
    expect(renamed?.["name"]).toBe("Pine")
    await call("DELETE", `/companies/${made["id"]}`)
    expect(idsOf((await truthOf(amara))["companies"])).not.toContain(made["id"])
  })

  it("grants a membership once, and revokes it with the person's places in groups", async () => {
    expect(await statusOf(call("POST", "/memberships", { companyId: company(4) }))).toBe(201)
    expect(await statusOf(call("POST", "/memberships", { companyId: company(4) }))).toBe(200)
    const group = idOf(4, 6)
    expect(await statusOf(call("POST", `/groups/${group}/members`, { userId: amara }))).toBe(201)
    expect(await statusOf(call("POST", `/groups/${group}/members`, { userId: amara }))).toBe(200)
    expect(await statusOf(call("DELETE", `/memberships/${company(4)}`))).toBe(200)
    expect(await statusOf(call("DELETE", `/memberships/${company(4)}`))).toBe(404)
    const left = await pg.query("select 1 from user_group_members where group_id = $1 and user_id = $2", [
      group,
      amara,
    ])
    expect(left.rows).toEqual([])
  })

  it("acts for the person who is given, else for who is signed in, else not at all", async () => {
    const companyId = company(4)
    expect(await statusOf(call("POST", "/memberships", { companyId, userId: jonas }, null))).toBe(201)
    expect(await statusOf(call("POST", "/memberships", { companyId }, null))).toBe(401)
    expect(await statusOf(call("DELETE", `/memberships/${companyId}?userId=${jonas}`, {}, null))).toBe(200)
  })

  it("changes a member's role and name, and removes a member", async () => {
    const body = { userId: jonas, role: "admin" }
    const added = (await call("POST", `/companies/${company(4)}/members`, body)).body as TextRow
    await call("PATCH", `/members/${added["id"]}`, { name: "Jonas W.", role: "member" })
    const truth = await truthOf(jonas)
    expect(truth["users"]?.[0]?.["name"]).toBe("Jonas W.")
    expect(truth["company_members"]?.find((member) => member["id"] === added["id"])?.["role"]).toBe("member")
    expect(await statusOf(call("DELETE", `/members/${added["id"]}`))).toBe(200)
    expect(await statusOf(call("PATCH", `/members/${added["id"]}`, { role: "admin" }))).toBe(404)
    expect(await statusOf(call("PATCH", `/members/${added["id"]}`, {}))).toBe(400)
  })

  it("adds, renames and removes a group, and lets only members of the company in", async () => {
    const made = (await call("POST", `/companies/${company(3)}/groups`, { name: "Print" })).body as TextRow
    expect(await statusOf(call("PATCH", `/groups/${made["id"]}`, { name: "Press" }))).toBe(200)
    expect(await statusOf(call("POST", `/groups/${made["id"]}/members`, { userId: jonas }))).toBe(409)
    const inside = (await call("POST", `/groups/${made["id"]}/members`, { userId: amara })).body as TextRow
    expect(idsOf((await truthOf(amara))["user_group_members"])).toContain(inside["id"])
    expect(await statusOf(call("DELETE", `/group-members/${inside["id"]}`))).toBe(200)
    expect(await statusOf(call("DELETE", `/groups/${made["id"]}`))).toBe(200)
    expect(await statusOf(call("DELETE", `/groups/${made["id"]}`))).toBe(404)
  })

  it("adds, renames, moves and removes folders and workspaces", async () => {
    const space = (await call("POST", `/companies/${company(1)}/workspaces`, { name: "New" })).body as TextRow
    const made = (await call("POST", `/workspaces/${space["id"]}/folders`, { name: "First" })).body as TextRow
    expect(made).toMatchObject({ name: "First", position: 0 })
    const change = { name: "Renamed", workspaceId: workspace(2) }
    expect(await statusOf(call("PATCH", `/folders/${made["id"]}`, change))).toBe(200)
    const moved = (await truthOf(amara))["folders"]?.find((row) => row["id"] === made["id"])
    expect(moved).toMatchObject({ name: "Renamed", workspace_id: workspace(2) })
    expect(await statusOf(call("PATCH", `/workspaces/${space["id"]}`, { name: "N", description: "d" }))).toBe(
      200,
    )
    expect(await statusOf(call("DELETE", `/workspaces/${space["id"]}`))).toBe(200)
    expect(await statusOf(call("DELETE", `/folders/${made["id"]}`))).toBe(200)
    expect(await statusOf(call("PATCH", `/folders/${idOf(7, 1)}`, { workspaceId: workspace(99) }))).toBe(404)
    expect(await statusOf(call("PATCH", `/folders/${idOf(7, 1)}`, {}))).toBe(400)
  })

  it("inserts a thousand folders at the end of a workspace", async () => {
    expect((await call("POST", `/workspaces/${workspace(1)}/folders/bulk`)).body).toEqual({ inserted: 1000 })
    const { rows } = await pg.query(
      `select count(*)::int as all, count(distinct position)::int as positions, max(position) as last
         from folders where workspace_id = $1`,
      [workspace(1)],
    )
    expect(rows[0]).toEqual({ all: 1005, positions: 1005, last: 1004 })
    expect(await statusOf(call("POST", `/workspaces/${workspace(99)}/folders/bulk`, { count: 1 }))).toBe(404)
    expect(await statusOf(call("POST", `/workspaces/${workspace(1)}/folders/bulk`, { count: 0 }))).toBe(400)
  })

  it("answers unknown ids with 404 and malformed ones with 400, everywhere", async () => {
    const bodies: Readonly<Record<string, unknown>> = {
      "POST /companies/:companyId/members": { userId: amara },
      "POST /groups/:groupId/members": { userId: amara },
      "POST /workspaces/:workspaceId/folders/bulk": {},
    }
    for (const { method, path } of endpoints.filter((one) => one.path.includes(":"))) {
      const hasBody = method === "POST" || method === "PATCH"
      const body = hasBody ? (bodies[`${method} ${path}`] ?? { name: "x" }) : {}
      expect(await statusOf(call(method, path.replace(/:\w+/, person(99)), body)), `${method} ${path}`).toBe(
        404,
      )
      expect(await statusOf(call(method, path.replace(/:\w+/, "7"), body)), `${method} ${path}`).toBe(400)
    }
  })

  it("shows the drawer a company as the server holds it", async () => {
    const detail = (await call("GET", `/companies/${company(1)}`)).body
    expect(detail).toMatchObject({
      name: "Harbor & Pine",
      members: ["Amara Okafor", "Jonas Weber", "Mei Tanaka", "Tom Hughes"].map((name) => ({ name })),
      groups: [{ name: "Design" }, { name: "Leadership" }, { name: "Site crew" }],
      workspaces: [
        { name: "Client projects", folderCount: 5 },
        { name: "Studio", folderCount: 4 },
      ],
    })
  })
})
