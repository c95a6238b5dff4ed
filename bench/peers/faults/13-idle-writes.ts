/** Nothing changes in the synced table while another one is written: the idle subscription goes on writing its state. */
import { ids, run, sleep, until } from "./kit.ts"

const seconds = 12

await run("idle-writes", async ({ local, shape, up, url }) => {
  await up(
    "create table item (id int primary key); insert into item values (1); create table other (id int primary key)",
  )
  const pg = await local("create table item (id int primary key)")
  await pg.electric.syncShapeToTable({
    shape: shape("item"),
    table: "item",
    primaryKey: ["id"],
    shapeKey: "i",
  })
  await fetch(`${url}?offset=-1&table=other`)
  await until(async () => (await ids(pg, "item")).length === 1)
  await sleep(1_000)
  const version = async (): Promise<number> =>
    Number(
      (await pg.query<{ readonly x: string }>("select xmin::text as x from electric.subscriptions_metadata"))
        .rows[0]?.x,
    )
  const before = await version()
  for (let second = 0; second < seconds; second += 1) {
    await up(`insert into other values (${second})`)
    await sleep(1_000)
  }
  const writes = (await version()) - before
  return { expected: { writes: 0 }, observed: { seconds, writes }, faulty: writes > 0 }
})
