/** Columns renamed by an object; an update of one column sets the others to NULL. */
import { run, until } from "./kit.ts"

await run("map-columns-writes-null", async ({ local, shape, up }) => {
  await up("create table item (id int primary key, v text, w text); insert into item values (1,'v','w')")
  const pg = await local("create table item (id int primary key, v text, w text)")
  await pg.electric.syncShapeToTable({
    shape: shape("item"),
    table: "item",
    primaryKey: ["id"],
    shapeKey: "i",
    mapColumns: { id: "id", v: "v", w: "w" },
  })
  const row = async () =>
    (await pg.query<{ readonly v: string; readonly w: string | null }>("select v, w from item")).rows[0]
  await until(async () => (await row()) !== undefined)
  await up("update item set v = 'v2'")
  await until(async () => (await row())?.v === "v2", 5_000)
  const found = await row()
  return { expected: { v: "v2", w: "w" }, observed: found, faulty: found?.w !== "w" }
})
