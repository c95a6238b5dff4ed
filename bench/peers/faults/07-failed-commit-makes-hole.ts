/** A row of the first batch clashes with a local one: the whole batch is lost, the error goes unheard, and later changes are applied. */
import { ids, run, sleep, until } from "./kit.ts"

await run("failed-commit-makes-hole", async ({ local, shape, unhandled, up }) => {
  await up("create table item (id int primary key); insert into item values (1),(2)")
  const pg = await local("create table item (id int primary key); insert into item values (1)")
  const errors: Array<string> = []
  await pg.electric.syncShapeToTable({
    shape: shape("item"),
    table: "item",
    primaryKey: ["id"],
    shapeKey: "i",
    onError: (error) => errors.push(error.message),
  })
  await sleep(2_000)
  await up("insert into item values (3)")
  await until(async () => (await ids(pg, "item")).includes(3), 5_000)
  const held = await ids(pg, "item")
  return {
    expected: "all of 1, 2, 3, or an error told to onError",
    observed: { held, errors, unhandled },
    faulty: held.length !== 3 && errors.length === 0,
  }
})
