/**
 * The demo's database behind an embedded server, for whole-pipeline tests: real PGlite, real HTTP, the official client. `truth`
 * says by plain joins which rows a user may hold locally, independent of graph and compiler.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { PGlite } from "@electric-sql/pglite"
import { DevServer } from "@espalier/dev-server"
import * as Effect from "effect/Effect"

const sqlFile = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../apps/demo/db/${name}`, import.meta.url)), "utf8")

export const amara = "10000000-0000-4000-8000-000000000001"
export const mei = "10000000-0000-4000-8000-000000000003"
export const company = (n: number): string => `20000000-0000-4000-8000-00000000000${n}`

/** A fresh database with schema and seed. */
export const seededDatabase = Effect.acquireRelease(
  Effect.promise(async () => {
    const db = await PGlite.create()
    await db.exec(sqlFile("schema.sql"))
    await db.exec(sqlFile("seed.sql"))
    return db
  }),
  (db) => Effect.promise(() => db.close()),
)

export const serve = (db: PGlite, options: Partial<Parameters<typeof DevServer.make>[0]> = {}) =>
  DevServer.make({ db, ...options })

const mine = "select company_id from company_members where user_id = $1"

/** Local table → query for the ids (and all declared columns) the user may hold. */
const queries: Readonly<Record<string, string>> = {
  users: "select * from users where id = $1",
  people: `select id, name, avatar_url from users where id in (select user_id from company_members where company_id in (${mine}))`,
  companies: `select * from companies where id in (${mine})`,
  company_members: `select * from company_members where company_id in (${mine})`,
  user_groups: `select * from user_groups where company_id in (${mine})`,
  user_group_members: `select m.* from user_group_members m join user_groups g on g.id = m.group_id where g.company_id in (${mine})`,
  workspaces: `select * from workspaces where company_id in (${mine})`,
  folders: `select f.* from folders f join workspaces w on w.id = f.workspace_id where w.company_id in (${mine})`,
}

export const tables = Object.keys(queries)

/** One line of JSON per row, keys sorted, so that two databases can be compared as texts. */
const lines = (rows: ReadonlyArray<{ readonly row: Record<string, unknown> }>): ReadonlyArray<string> =>
  rows
    .map(({ row }) =>
      JSON.stringify(Object.fromEntries(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)))),
    )
    .toSorted()

type Row = { readonly row: Record<string, unknown> }

/** Rows of every local table the user may hold, as a database says that is asked with the user as `$1`. */
export const truthOf = (ask: (sql: string) => Promise<ReadonlyArray<Row>>) =>
  Effect.promise(async () => {
    const entries = tables.map(
      async (table) =>
        [table, lines(await ask(`select to_jsonb(t) as row from (${queries[table]}) t`))] as const,
    )
    return Object.fromEntries(await Promise.all(entries))
  })

/** Rows of every local table the user may hold, as the server's database says. */
export const truth = (db: PGlite, userId: string) =>
  truthOf(async (sql) => (await db.query<Row>(sql, [userId])).rows)

/** Rows of every local table, as the local database has them. */
export const local = (db: PGlite) =>
  Effect.promise(async () => {
    const entries = tables.map(async (table) => {
      const { rows } = await db.query<{ row: Record<string, unknown> }>(
        `select to_jsonb(t) as row from "${table}" t`,
      )
      return [table, lines(rows)] as const
    })
    return Object.fromEntries(await Promise.all(entries))
  })
