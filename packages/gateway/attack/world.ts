/**
 * The world under attack: a graph, its rules, a database with columns and rows that nobody may ever see, and an oracle that says by plain
 * joins what each person can reach. The oracle knows nothing of nodes, compiler or rules, so that none of them can excuse itself.
 */
import type { PGlite } from "@electric-sql/pglite"
import { and, client, eq, Graph, identity, or, param } from "@espalier/engine/graph"
import type { GatewayIdentity, RuleContext, Rules } from "../src/index.ts"

const byCompany = { indexes: [["company_id"]] } as const

export const graph = Graph.make({
  name: "attacked",
  params: { userId: identity("uuid"), kind: client("text") },
  tables: {
    members: { columns: { id: "uuid", company_id: "uuid", user_id: "uuid", role: "text" }, ...byCompany },
    companies: { columns: { id: "uuid", name: "text" } },
    people: { columns: { id: "uuid", name: "text" } },
    docs: {
      columns: {
        id: "uuid",
        company_id: "uuid",
        author: "uuid",
        visibility: "text",
        kind: "text",
        title: "text",
      },
      ...byCompany,
    },
    news: { columns: { id: "uuid", title: "text", published: "bool" } },
  },
  nodes: {
    memberships: { table: "members", where: eq("user_id", param("userId")), key: "memberships" },
    companies: { table: "companies", parent: "memberships", on: { id: "company_id" }, key: "company-{id}" },
    members: { table: "members", parent: "companies", on: { company_id: "id" }, key: "company-{id}-members" },
    people: {
      table: "people",
      parent: "members",
      on: { id: "user_id" },
      per: "companies",
      key: "company-{id}-people",
    },
    // An "or" in the filter: nothing appended may escape it.
    docs: {
      table: "docs",
      parent: "companies",
      on: { company_id: "id" },
      where: or(eq("visibility", "all"), eq("author", param("userId"))),
      key: "company-{id}-docs",
    },
    mine: {
      table: "docs",
      where: and(eq("author", param("userId")), eq("kind", param("kind"))),
      key: "mine-{kind}",
    },
    news: { table: "news", where: eq("published", true), key: "news" },
  },
})

export type AttackedGraph = typeof graph

const id = (kind: number, n: number): string => `${kind}0000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** Person n, from 1. Person 4 belongs nowhere. */
export const person = (n: number): string => id(1, n)
/** Company n, from 1. Company 4 has no members. */
export const company = (n: number): string => id(2, n)

export const people: ReadonlyArray<string> = [1, 2, 3, 4].map(person)
export const companies: ReadonlyArray<string> = [1, 2, 3, 4].map(company)

/** Who belongs where: [person, company]. */
export const memberships: ReadonlyArray<readonly [person: string, company: string]> = [
  [person(1), company(1)],
  [person(1), company(2)],
  [person(2), company(2)],
  [person(3), company(3)],
]

const memberOf = (userId: string | undefined, companyId: string): boolean =>
  memberships.some(([one, other]) => one === userId && other === companyId)

const ofCompany = ({ bindings, identity: who }: RuleContext<GatewayIdentity, "company_id">): boolean =>
  memberOf(who.params["userId"], bindings.company_id)

export const rules: Rules<AttackedGraph> = {
  memberships: "public",
  companies: ({ bindings, identity: who }) => memberOf(who.params["userId"], bindings.id),
  members: ofCompany,
  people: ofCompany,
  docs: ofCompany,
  mine: "public",
  news: "public",
}

/** Columns that exist on the server and in no node. */
export const hiddenColumn = "hidden"

/** Makes tables and rows. Every table has a hidden column, and there is a table that no node names. */
export const seed = async (db: PGlite): Promise<void> => {
  await db.exec(`
    create table members (id uuid primary key, company_id uuid not null, user_id uuid not null, role text not null, hidden text);
    create table companies (id uuid primary key, name text not null, hidden text);
    create table people (id uuid primary key, name text not null, hidden text);
    create table docs (id uuid primary key, company_id uuid not null, author uuid not null, visibility text not null,
      kind text not null, title text not null, hidden text);
    create table news (id uuid primary key, title text not null, published bool not null, hidden text);
    create table vault (id uuid primary key, hidden text);
    insert into vault values ('${id(9, 1)}', 'never');
    insert into news values ('${id(5, 1)}', 'out', true, 'never'), ('${id(5, 2)}', 'not out', false, 'never');`)
  for (const [n, each] of people.entries()) {
    await db.query("insert into people values ($1, $2, 'never')", [each, `Person ${n + 1}`])
  }
  for (const [n, each] of companies.entries()) {
    await db.query("insert into companies values ($1, $2, 'never')", [each, `Company ${n + 1}`])
  }
  for (const [n, [who, where]] of memberships.entries()) {
    await db.query("insert into members values ($1, $2, $3, 'member', 'never')", [id(3, n), where, who])
  }
  let n = 0
  for (const where of companies) {
    for (const who of people) {
      for (const visibility of ["all", "author"]) {
        for (const kind of ["a", "b"]) {
          n += 1
          await db.query("insert into docs values ($1, $2, $3, $4, $5, $6, 'never')", [
            id(4, n),
            where,
            who,
            visibility,
            kind,
            `Doc ${n}`,
          ])
        }
      }
    }
  }
}

const mine = "select company_id from members where user_id = $1"

/** Server table → query for the ids that a person can reach by any node. */
const reachable: Readonly<Record<string, string>> = {
  members: `select id from members where user_id = $1 or company_id in (${mine})`,
  companies: `select id from companies where id in (${mine})`,
  people: `select id from people where id in (select user_id from members where company_id in (${mine}))`,
  docs: `select id from docs where author = $1 or (company_id in (${mine}) and visibility = 'all')`,
  news: "select id from news where published and $1::text is not null",
}

/** What each person can reach: `table id`. Nobody reaches nothing. */
export type Reach = ReadonlyMap<string, ReadonlySet<string>>

/** Asks the database what each person can reach. */
export const reachOf = async (db: PGlite): Promise<Reach> => {
  const reach = new Map<string, ReadonlySet<string>>()
  for (const who of people) {
    const ids = new Set<string>()
    for (const [table, query] of Object.entries(reachable)) {
      const { rows } = await db.query<{ readonly id: string }>(query, [who])
      for (const row of rows) ids.add(`${table} ${row.id}`)
    }
    reach.set(who, ids)
  }
  return reach
}
