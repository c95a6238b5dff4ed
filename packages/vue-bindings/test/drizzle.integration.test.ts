/** Drizzle's selects on a real Postgres: their rows are what Drizzle's types say. */
import { PGlite } from "@electric-sql/pglite"
import { eq, sql } from "drizzle-orm"
import { integer, jsonb, pgTable, QueryBuilder, text, timestamp, uuid } from "drizzle-orm/pg-core"
import { afterAll, beforeAll, expect, it } from "vitest"
import { DrizzleQueryUnsupported, drizzleRead, type DrizzleQuery } from "../src/internal/drizzle.ts"

const workspaces = pgTable("workspaces", { id: uuid().primaryKey(), name: text() })
const folders = pgTable("folders", {
  id: uuid().primaryKey(),
  workspaceId: uuid("workspace_id"),
  name: text().notNull(),
  position: integer().notNull(),
  settings: jsonb().$type<{ readonly color: string }>(),
  archivedAt: timestamp("archived_at", { withTimezone: true }),
})
const builder = new QueryBuilder()
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

let db: PGlite
beforeAll(async () => {
  db = await PGlite.create()
  await db.exec(`
    create table workspaces (id uuid primary key, name text);
    create table folders (id uuid primary key, workspace_id uuid, name text, position int4, settings jsonb, archived_at timestamptz);
    insert into workspaces values ('${id(1)}', 'one');
    insert into folders values
      ('${id(11)}', '${id(1)}', 'in one', 2, '{"color": "red"}', '2026-01-02T03:04:05Z'),
      ('${id(12)}', null, 'nowhere', 1, null, null);
  `)
})
afterAll(() => db.close())

const run = async <Row>(query: DrizzleQuery<Row>): Promise<ReadonlyArray<Row>> => {
  const read = drizzleRead(query)
  const { rows } = await db.query<object>(read.sql, [...read.params])
  return rows.map((row) => read.decode(row) as Row)
}

it("names fields as the query does and decodes their values", async () => {
  const query = builder
    .select({
      title: folders.name,
      when: folders.archivedAt,
      settings: folders.settings,
      twice: sql<number>`${folders.position} * 2`,
    })
    .from(folders)
    .where(eq(folders.id, id(11)))
  expect(await run(query)).toEqual([
    { title: "in one", when: new Date("2026-01-02T03:04:05Z"), settings: { color: "red" }, twice: 4 },
  ])
})

it("keeps columns of one name apart, the order, and null for the side a join does not find", async () => {
  const query = builder
    .select()
    .from(folders)
    .leftJoin(workspaces, eq(workspaces.id, folders.workspaceId))
    .orderBy(folders.position)
  const rows = await run(query)
  expect(rows.map((row) => [row.folders.name, row.workspaces])).toEqual([
    ["nowhere", null],
    ["in one", { id: id(1), name: "one" }],
  ])
})

it("names what it cannot read", () => {
  const relational = { toSQL: () => ({ sql: "select 1", params: [] }), _: { result: [] } }
  expect(() => drizzleRead(relational)).toThrow(DrizzleQueryUnsupported)
})
