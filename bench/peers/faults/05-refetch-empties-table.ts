/** The server voids the handle of a 5,000-row shape while a reader counts: the table is empty until the new snapshot has landed. */
import { run, sleep, until } from "./kit.ts"

await run("refetch-empties-table", async ({ local, shape, up }) => {
  await up("create table item (id int primary key, v text)")
  await up("insert into item select g, repeat('x', 200) from generate_series(1, 5000) g")
  const pg = await local("create table item (id int primary key, v text)")
  await pg.electric.syncShapeToTable({
    shape: shape("item"),
    table: "item",
    primaryKey: ["id"],
    shapeKey: "i",
  })
  const count = async (where = "true"): Promise<number> =>
    (await pg.query<{ readonly n: number }>(`select count(*)::int as n from item where ${where}`)).rows[0]
      ?.n ?? 0
  await until(async () => (await count()) === 5_000)
  await sleep(500)
  let lowest = 5_000
  const refilled = until(async () => {
    lowest = Math.min(lowest, await count())
    return (await count("v = 'new'")) === 5_000
  })
  await up("begin; truncate item; insert into item select g, 'new' from generate_series(1, 5000) g; commit")
  const done = await refilled
  return { expected: { lowest: 5_000 }, observed: { lowest, refilled: done }, faulty: lowest < 5_000 }
})
