/** The overview's query on a real Postgres, in the moments when two instances of one table disagree. */
import { PGlite } from "@electric-sql/pglite"
import { afterAll, beforeAll, expect, it } from "vitest"
import { companiesSql, type CompanyRow } from "../app/utils/companies-sql.ts"

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`
const company = id(1)
const [me, colleague] = [id(11), id(12)]

let db: PGlite
beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(`
    create table companies (id uuid primary key, name text, slug text);
    create table company_members (id uuid primary key, company_id uuid, user_id uuid, role text, updated_at timestamptz);
    create table people (id uuid primary key, name text);
    create table workspaces (id uuid primary key, company_id uuid);
    create table folders (id uuid primary key, workspace_id uuid);
  `)
  await db.query("insert into companies values ($1, 'Acme', 'acme')", [company])
  await db.query("insert into people values ($1, 'Amara'), ($2, 'Björn')", [me, colleague])
  await db.query(
    "insert into company_members values ($1, $2, $3, 'member', '2026-01-01'), ($4, $2, $5, 'owner', '2026-01-01')",
    [id(21), company, me, id(22), colleague],
  )
})
afterAll(() => db.close())

const read = async (): Promise<CompanyRow | undefined> => {
  const query = companiesSql(me)
  return (await db.query<CompanyRow>(query.sql, [...query.params])).rows[0]
}

it("counts a person once while a revoked membership and the one granted after it are both here", async () => {
  expect(await read()).toMatchObject({ members: 2, role: "member" })
  await db.query("insert into company_members values ($1, $2, $3, 'admin', '2026-01-02')", [
    id(23),
    company,
    me,
  ])
  const now = await read()
  expect(now).toMatchObject({ members: 2, role: "admin" })
  expect(now?.faces.map(({ name }) => name)).toEqual(["Amara", "Björn"])
})
