/**
 * While a large grant is read, the server withholds the shape's other changes, but its up-to-date goes on naming newer positions; the
 * peer then drops the late change as old. The embedded server answers in commit order, so the peer's rule is shown by itself: a stand-in
 * sends an up-to-date at LSN 200 and then the withheld change of LSN 100.
 */
import { createServer } from "node:http"
import { once } from "node:events"
import { run, sleep, until } from "./kit.ts"

const change = (operation: string, value: object, headers: object = {}) => ({
  key: `"public"."doc"/"1"`,
  value,
  headers: { operation, ...headers },
})
const upToDate = (lsn: string) => ({ headers: { control: "up-to-date", global_last_seen_lsn: lsn } })

/** Answers by offset; the last place is polled for ever. */
const answers: Readonly<Record<string, readonly [offset: string, body: ReadonlyArray<object>]>> = {
  "-1": ["0_0", [change("insert", { id: "1", v: "old" })]],
  "0_0": ["0_inf", [upToDate("50")]],
  "0_inf": ["0_inf2", [upToDate("200")]],
  "0_inf2": [
    "100_0",
    [change("update", { id: "1", v: "new" }, { lsn: "100", op_position: 0, txids: [1] }), upToDate("300")],
  ],
}

await run("change-during-move-in-dropped", async ({ local }) => {
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? "/", "http://localhost").searchParams
    const [offset, body] = answers[query.get("offset") ?? ""] ?? []
    if (offset === undefined) return
    response.writeHead(200, {
      "content-type": "application/json",
      "electric-handle": "h",
      "electric-schema": JSON.stringify({ id: { type: "int4" }, v: { type: "text" } }),
      "electric-cursor": offset,
      "electric-offset": offset,
      ...(JSON.stringify(body).includes("up-to-date") ? { "electric-up-to-date": "" } : {}),
    })
    response.end(JSON.stringify(body))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const pg = await local("create table doc (id int primary key, v text)")
  await pg.electric.syncShapeToTable({
    shape: { url: `http://127.0.0.1:${port}/v1/shape`, params: { table: "doc" } },
    table: "doc",
    primaryKey: ["id"],
    shapeKey: "d",
  })
  const value = async () => (await pg.query<{ readonly v: string }>("select v from doc")).rows[0]?.v
  await until(async () => (await value()) !== undefined)
  await until(async () => (await value()) === "new", 4_000)
  await sleep(500)
  const found = await value()
  return { expected: "new", observed: found, faulty: found !== "new" }
})
