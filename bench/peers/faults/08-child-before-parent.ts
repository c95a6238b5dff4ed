/** A foreign key between two synced tables, the child named first: its rows are lost. */
import { ids, run, sleep, until } from "./kit.ts"

await run("child-before-parent", async ({ local, shape, unhandled, up }) => {
  await up("create table parent (id int primary key); create table child (id int primary key, parent_id int)")
  await up("insert into parent values (1); insert into child values (1,1)")
  const pg = await local(
    "create table parent (id int primary key); create table child (id int primary key, parent_id int references parent)",
  )
  await pg.electric.syncShapesToTables({
    key: "g",
    shapes: {
      child: { shape: shape("child"), table: "child", primaryKey: ["id"] },
      parent: { shape: shape("parent"), table: "parent", primaryKey: ["id"] },
    },
  })
  await until(async () => (await ids(pg, "child")).length === 1, 3_000)
  await sleep(500)
  const held = { parent: await ids(pg, "parent"), child: await ids(pg, "child") }
  return {
    expected: { parent: [1], child: [1] },
    observed: { ...held, unhandled },
    faulty: held.child.length !== 1,
  }
})
