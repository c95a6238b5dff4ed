/** A newcomer's server: the embedded shape server, the gateway with own rules, and the built page. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { readFile } from "node:fs/promises"
import { extname, join } from "node:path"
import { PGlite } from "@electric-sql/pglite"
import { DevServer } from "@espalier/dev-server"
import { Gateway } from "@espalier/gateway"
import { nodeHandler } from "@espalier/gateway/node"
import * as Effect from "effect/Effect"
import { graph } from "./graph.ts"

const tables = `
  create table projects (id text primary key, owner text not null, name text not null);
  create table issues (id text primary key, project_id text not null references projects, title text not null);
  create table comments (id text primary key, issue_id text not null references issues, body text not null);
  insert into projects values ('p1', 'amara', 'Garden'), ('p2', 'mei', 'Workshop');
  insert into issues values ('i1', 'p1', 'Water the trees'), ('i2', 'p2', 'Sharpen the saw');
  insert into comments values ('c1', 'i1', 'Twice a week'), ('c2', 'i2', 'Not today');`

const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
}

const file = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const path = new URL(request.url ?? "/", "http://localhost").pathname
  try {
    const body = await readFile(join("dist", path === "/" ? "index.html" : path))
    response.writeHead(200, {
      "content-type": types[extname(path === "/" ? "index.html" : path)] ?? "application/octet-stream",
    })
    response.end(body)
  } catch {
    response.writeHead(404)
    response.end()
  }
}

const program = Effect.gen(function* () {
  const db = yield* Effect.promise(() => PGlite.create())
  yield* Effect.promise(() => db.exec(tables))
  // #region gateway
  const electric = yield* DevServer.make({ db, longPollTimeoutMillis: 2_000 })
  const owns = async (userId: string | undefined, projectId: string): Promise<boolean> => {
    const { rows } = await db.query("select 1 from projects where id = $1 and owner = $2", [
      projectId,
      userId,
    ])
    return rows.length > 0
  }
  const gateway = Gateway.make({
    graph,
    electric: { url: electric.url },
    identify: (request) => {
      const user = /(?:^|; )user=(\w+)/.exec(request.headers.get("cookie") ?? "")?.[1]
      return user === undefined ? null : { params: { userId: user } }
    },
    rules: {
      projects: "public",
      issues: ({ bindings, identity }) => owns(identity.params["userId"], bindings.project_id),
      comments: ({ bindings, identity }) => owns(identity.params["userId"], bindings.project_id),
    },
  })
  // #endregion
  // #region serve
  const shapes = nodeHandler(gateway)
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/v1/shape") === true) void shapes(request, response)
    else if (request.url === "/add" && request.method === "POST") {
      void db.exec("insert into issues values ('i3', 'p1', 'Prune the roses')").then(() => response.end("ok"))
    } else void file(request, response)
  })
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    if (address !== null && typeof address === "object") console.log(`ready http://127.0.0.1:${address.port}`)
  })
  // #endregion
  return yield* Effect.never
})

await Effect.runPromise(Effect.scoped(program))
