/** One row changes in one table of a group of ten: every other stream asks again. A cost, not wrong data. */
import { ids, run, sleep, until } from "./kit.ts"

const tables = Array.from({ length: 10 }, (_, index) => `t${index}`)

await run("requests-per-change", async ({ local, shape, up }) => {
  for (const table of tables)
    await up(`create table ${table} (id int primary key); insert into ${table} values (1)`)
  const pg = await local(tables.map((table) => `create table ${table} (id int primary key)`).join("; "))
  let requests = 0
  const fetchClient: typeof fetch = (input, init) => {
    requests += 1
    return fetch(input, init)
  }
  const shapes = tables.map((table) => [
    table,
    { shape: { ...shape(table), fetchClient }, table, primaryKey: ["id"] },
  ])
  const sync = await pg.electric.syncShapesToTables({ key: "g", shapes: Object.fromEntries(shapes) })
  await until(() => sync.isUpToDate)
  await sleep(500)
  requests = 0
  await up("insert into t3 values (2)")
  await until(async () => (await ids(pg, "t3")).includes(2))
  await sleep(1_000)
  return { expected: { requests: 2 }, observed: { shapes: tables.length, requests }, faulty: requests > 2 }
})
