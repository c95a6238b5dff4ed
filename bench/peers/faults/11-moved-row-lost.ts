/** Forty rows move from one filter to another, a commit each: a late delete takes rows that the other shape has just brought. */
import { ids, run, sleep, until } from "./kit.ts"

const count = 40

/** A shape may deliver later than another; with the real server each is first about half of the time. */
const late: typeof fetch = async (input, init) => {
  const response = await fetch(input, init)
  await sleep(60)
  return response
}

await run("moved-row-lost", async ({ local, shape, unhandled, up }) => {
  await up("create table task (id int primary key, company_id int)")
  await up(`insert into task select g, 1 from generate_series(1, ${count}) g`)
  const pg = await local("create table task (id int primary key, company_id int)")
  for (const company of [1, 2])
    await pg.electric.syncShapeToTable({
      shape: {
        ...shape("task", `company_id = ${company}`),
        ...(company === 1 ? { fetchClient: late } : {}),
      },
      table: "task",
      primaryKey: ["id"],
      shapeKey: `t${company}`,
      onMustRefetch: async (tx) => {
        await tx.query(`delete from task where company_id = ${company}`)
      },
    })
  await until(async () => (await ids(pg, "task")).length === count)
  await sleep(500)
  for (let id = 1; id <= count; id += 1) {
    await up(`update task set company_id = 2 where id = ${id}`)
    await sleep(80)
  }
  await sleep(3_000)
  const held = (await ids(pg, "task")).length
  return {
    expected: { held: count },
    observed: { held, lost: count - held, rejections: unhandled.length },
    faulty: held !== count,
  }
})
