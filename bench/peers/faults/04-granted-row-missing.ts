/** A shape with a subquery; a membership is added: its row never arrives, because rows of a move-in have no LSN. */
import { ids, run, sleep, until } from "./kit.ts"

await run("granted-row-missing", async ({ local, shape, up }) => {
  await up(
    "create table company (id int primary key, name text); insert into company values (1,'old'),(2,'granted')",
  )
  await up(
    "create table member (user_id int, company_id int, primary key (user_id, company_id)); insert into member values (7,1)",
  )
  const pg = await local("create table company (id int primary key, name text)")
  await pg.electric.syncShapeToTable({
    shape: shape("company", "id IN (SELECT company_id FROM member WHERE user_id = 7)"),
    table: "company",
    primaryKey: ["id"],
    shapeKey: "c",
  })
  await until(async () => (await ids(pg, "company")).length === 1)
  await sleep(500)
  await up("insert into member values (7,2)")
  await until(async () => (await ids(pg, "company")).length === 2, 4_000)
  const held = await ids(pg, "company")
  return { expected: [1, 2], observed: held, faulty: held.length !== 2 }
})
