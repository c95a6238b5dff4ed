/** A person's statement on a real Postgres: it reads everything and changes nothing, whatever it says. */
import { PGlite } from "@electric-sql/pglite"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { inspectDatabase, inspectRowsShown } from "../src/client/inspectDatabase.ts"

const refusals: ReadonlyArray<readonly [what: string, sql: string]> = [
  ["a delete", "delete from notes"],
  ["an update", "update notes set body = 'x'"],
  ["a delete inside a select", "with gone as (delete from notes returning *) select * from gone"],
  ["a table", "create table other (id int)"],
  ["a sequence moved on", "select nextval('counter')"],
  ["making the transaction writable", "set transaction read write"],
  ["the same in a block, then a write", "do $$ begin set transaction read write; delete from notes; end $$"],
  ["a write behind a commit", "commit; delete from notes"],
  ["a write behind a select", "select 1; delete from notes"],
  ["a file", "copy (select 1) to '/tmp/out'"],
]

describe("inspectDatabase", () => {
  let pg: PGlite
  const count = async (): Promise<number> =>
    Number((await pg.query<{ n: string }>("select count(*) as n from notes")).rows[0]?.n)

  beforeAll(async () => {
    pg = await PGlite.create()
    await pg.exec("create schema espalier; create table espalier.own (id int); create sequence counter")
  })
  afterAll(() => pg?.close())
  beforeEach(() =>
    pg.exec(`drop table if exists notes; create table notes (id int primary key, body text);
             insert into notes select n, 'note ' || n from generate_series(1, 600) n`),
  )

  it("answers with columns in order, also twins, and rows as arrays", async () => {
    const answer = await inspectDatabase(pg, "select id, body, id from notes order by id limit 2;")
    expect(answer).toEqual({
      columns: ["id", "body", "id"],
      rows: [
        [1, "note 1", 1],
        [2, "note 2", 2],
      ],
      truncated: false,
    })
  })

  it("hands over the first rows only, and says so", async () => {
    const { rows, truncated } = await inspectDatabase(pg, "table notes")
    expect([rows.length, truncated]).toEqual([inspectRowsShown, true])
  })

  it("runs what no cursor can be declared for, and reads every schema", async () => {
    expect((await inspectDatabase(pg, "explain select * from notes")).rows.length).toBeGreaterThan(0)
    expect((await inspectDatabase(pg, "show server_version")).columns).toEqual(["server_version"])
    expect((await inspectDatabase(pg, "select * from espalier.own")).rows).toEqual([])
  })

  for (const [what, sql] of refusals) {
    it(`refuses ${what}`, async () => {
      await expect(inspectDatabase(pg, sql)).rejects.toThrow()
      expect(await count()).toBe(600)
    })
  }

  it("leaves nothing behind: no setting, no role, no open transaction", async () => {
    await inspectDatabase(pg, "select set_config('search_path', 'espalier', false)")
    await inspectDatabase(pg, "commit")
    await pg.exec("insert into notes values (1000, 'still writable')")
    expect(await count()).toBe(601)
    const [row] = (await pg.query("select current_user as who, current_setting('search_path') as path")).rows
    expect(row).toEqual({ who: "postgres", path: expect.not.stringContaining("espalier") })
  })
})
