/** The fastest documented first load, on a table with an array column: nothing arrives. */
import { ids, run, until } from "./kit.ts"

await run("csv-array-fails", async ({ local, shape, unhandled, up }) => {
  await up(
    "create table item (id int primary key, tags int[]); insert into item values (1,'{1,2}'),(2,'{3,4}')",
  )
  const pg = await local("create table item (id int primary key, tags int[])")
  await pg.electric.syncShapeToTable({
    shape: shape("item"),
    table: "item",
    primaryKey: ["id"],
    shapeKey: "i",
    initialInsertMethod: "csv",
  })
  await until(async () => (await ids(pg, "item")).length === 2, 4_000)
  const held = await ids(pg, "item")
  return { expected: [1, 2], observed: { held, unhandled }, faulty: held.length !== 2 }
})
