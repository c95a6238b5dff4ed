/** A server inside a test: started, written to, made to fail once. `node packages/dev-server/examples/inTests.ts` prints what it answers. */
import { PGlite } from "@electric-sql/pglite"
import { DevServer, readFault } from "@espalier/dev-server"
import * as Effect from "effect/Effect"

const db = await PGlite.create()

// #region program
const program = Effect.gen(function* () {
  const server = yield* DevServer.make({ db }) // db: an open PGlite; runs until the scope closes
  yield* server.exec(
    "create table notes (id int primary key, text text); insert into notes values (1, 'Prune')",
  )
  const { rows } = yield* server.sql("select $1::int + 1 as sum", ["1"]) // values as text
  const { fault } = readFault({ kind: "status", status: 503, times: 1 })
  if (fault !== undefined) server.faults.add(fault)
  const ask = Effect.promise(() => fetch(`${server.url}/v1/shape?table=notes&offset=-1`))
  const [failed, answered] = [yield* ask, yield* ask]
  return { rows, statuses: [failed.status, answered.status], counts: server.counts() }
})
// #endregion

console.log(JSON.stringify(await Effect.runPromise(Effect.scoped(program))))
await db.close()
