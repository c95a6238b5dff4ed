/** Two filters that share a row, with the documented way around the table's lock: the shared row clashes, and an error goes unheard. */
import { ids, run, sleep, until } from "./kit.ts"

await run("overlap-with-on-must-refetch", async ({ local, shape, unhandled, up }) => {
  await up("create table task (id int primary key, a bool, b bool)")
  await up("insert into task values (1,true,false),(2,true,true),(3,false,true)")
  const pg = await local("create table task (id int primary key, a bool, b bool)")
  const errors: Array<string> = []
  const sync = (filter: string) =>
    pg.electric.syncShapeToTable({
      shape: shape("task", filter),
      table: "task",
      primaryKey: ["id"],
      shapeKey: `t-${filter}`,
      onMustRefetch: async (tx) => {
        await tx.query(`delete from task where ${filter}`)
      },
      onError: (error) => errors.push(error.message),
    })
  await sync("a = true")
  await until(async () => (await ids(pg, "task")).length === 2)
  await sync("b = true")
  await sleep(2_500)
  const held = await ids(pg, "task")
  const faulty = held.length !== 3 || unhandled.length > 0
  return { expected: [1, 2, 3], observed: { held, errors, unhandled }, faulty }
})
