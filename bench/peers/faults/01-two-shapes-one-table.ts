/** Two shapes with disjoint filters feed one local table: the second is refused. */
import { ids, run, until } from "./kit.ts"

await run("two-shapes-one-table", async ({ local, shape, up }) => {
  await up("create table task (id int primary key, company_id int); insert into task values (1,1),(2,2)")
  const pg = await local("create table task (id int primary key, company_id int)")
  const sync = (company: number) =>
    pg.electric.syncShapeToTable({
      shape: shape("task", `company_id = ${company}`),
      table: "task",
      primaryKey: ["id"],
      shapeKey: `t${company}`,
    })
  const first = await sync(1)
  await until(() => first.isUpToDate)
  const error = await sync(2).then(
    () => null,
    (cause: unknown) => String(cause),
  )
  await until(async () => (await ids(pg, "task")).length === 2, 2_000)
  const held = await ids(pg, "task")
  return { expected: [1, 2], observed: { held, error }, faulty: error !== null || held.length !== 2 }
})
