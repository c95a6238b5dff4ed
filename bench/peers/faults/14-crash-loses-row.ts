/**
 * The stored resume position runs ahead of the rows: whoever dies in between resumes behind a row that was never written. Shown without a
 * kill: the position and the rows are read in one transaction, and a second subscription resumes from just that state.
 */
import { ids, run, sleep, until } from "./kit.ts"

interface Metadata {
  readonly a: { readonly handle: string; readonly offset: string }
}

await run("crash-loses-row", async ({ local, shape, up }) => {
  await up("create table a (id int primary key); create table b (id int primary key)")
  await up("insert into a values (1); insert into b values (1)")
  const pg = await local("create table a (id int primary key); create table b (id int primary key)")
  await pg.electric.syncShapesToTables({
    key: "g",
    shapes: {
      a: { shape: shape("a"), table: "a", primaryKey: ["id"] },
      b: { shape: shape("b"), table: "b", primaryKey: ["id"] },
    },
  })
  await until(async () => (await ids(pg, "a")).length === 1 && (await ids(pg, "b")).length === 1)
  await sleep(500)
  const look = () =>
    pg.transaction(async (tx) => {
      const { rows } = await tx.query<{ readonly m: Metadata | string }>(
        "select shape_metadata as m from electric.subscriptions_metadata",
      )
      const metadata = rows[0]?.m
      const parsed = typeof metadata === "string" ? (JSON.parse(metadata) as Metadata) : metadata
      const held = await tx.query<{ readonly id: number }>("select id from a order by id")
      return {
        offset: parsed?.a.offset ?? "",
        handle: parsed?.a.handle ?? "",
        rows: held.rows.map(({ id }) => id),
      }
    })
  let ahead: Awaited<ReturnType<typeof look>> | null = null
  const watched = until(async () => {
    const seen = await look()
    if (seen.offset.startsWith("0_") || seen.rows.length > 1) return seen.rows.length > 1
    ahead = seen
    return true
  }, 10_000)
  await up("insert into a values (2)")
  await watched
  return {
    expected: "no stored position ahead of the rows stored with it",
    observed: { ahead },
    faulty: ahead !== null,
  }
})
