/** A shape with a subquery; the membership is deleted: the row stays, because move-outs are ignored. */
import { ids, run, sleep, until } from "./kit.ts"

await run("revoked-row-kept", async ({ local, shape, up }) => {
  await up(
    "create table company (id int primary key, name text); insert into company values (1,'kept'),(2,'revoked')",
  )
  await up(
    "create table member (user_id int, company_id int, primary key (user_id, company_id)); insert into member values (7,1),(7,2)",
  )
  const pg = await local("create table company (id int primary key, name text)")
  await pg.electric.syncShapeToTable({
    shape: shape("company", "id IN (SELECT company_id FROM member WHERE user_id = 7)"),
    table: "company",
    primaryKey: ["id"],
    shapeKey: "c",
  })
  await until(async () => (await ids(pg, "company")).length === 2)
  await sleep(500)
  await up("delete from member where company_id = 2")
  await sleep(3_000)
  const held = await ids(pg, "company")
  return { expected: [1], observed: held, faulty: held.length !== 1 }
})
