/** The local table also holds a row that the shape does not own: a refetch deletes it. */
import { ids, run, sleep, until } from "./kit.ts"

await run("refetch-deletes-foreign-rows", async ({ local, shape, up }) => {
  await up("create table item (id int primary key, c int); insert into item values (1,1),(2,2)")
  const pg = await local("create table item (id int primary key, c int); insert into item values (-5, 0)")
  await pg.electric.syncShapeToTable({
    shape: shape("item", "c = 1"),
    table: "item",
    primaryKey: ["id"],
    shapeKey: "i",
  })
  await until(async () => (await ids(pg, "item")).includes(1))
  await sleep(500)
  await up("truncate item; insert into item values (9,1)")
  await until(async () => (await ids(pg, "item")).includes(9))
  const held = await ids(pg, "item")
  return { expected: [-5, 9], observed: held, faulty: !held.includes(-5) }
})
