/**
 * The processes of the gateway's suite, each on a heap of its own: the shape server, the gateway before it, a bare streaming proxy on the same server
 * library, which checks nothing, and a pipe between two sockets, which is the least that any process in between can do. Forked by the suite; not for
 * anybody else.
 */
import { once } from "node:events"
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from "node:http"
import { fork, type ChildProcess } from "node:child_process"
import { PGlite } from "@electric-sql/pglite"
import { DevServer, readFault } from "@espalier/dev-server"
import { eq, Graph, identity, param } from "@espalier/engine/graph"
import { Gateway } from "@espalier/gateway"
import { nodeHandler } from "@espalier/gateway/node"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { collectGarbage } from "./measure.ts"
import { wideColumns, wideDdl, wideRows, wideTable } from "./wideRows.ts"

/** What a process is. `target`: the shape server's URL, for those that stand before it. */
export type Role =
  | { readonly role: "electric"; readonly rows: number }
  | { readonly role: "gateway"; readonly target: string }
  | { readonly role: "proxy"; readonly target: string }
  | { readonly role: "pipe"; readonly target: string }

/** A running process. */
export interface Running {
  readonly url: string
  /** Bytes of heap and external memory in use, after a collection. */
  readonly memory: () => Promise<number>
  /** Only the shape server: changes one row, so that every waiting request is answered. */
  readonly change: () => void
  /** Only the shape server: every answer comes so many milliseconds later from now on. */
  readonly delay: (millis: number) => Promise<void>
  /** Only the shape server: resolves once so many requests wait in it. */
  readonly waiting: (requests: number) => Promise<void>
  readonly stop: () => Promise<void>
}

/** The graph behind the gateway: one table, filtered by the caller. */
export const benchGraph = Graph.make({
  name: "bench",
  params: { role: identity("text") },
  tables: { [wideTable]: { columns: wideColumns } },
  nodes: { rows: { table: wideTable, where: eq("role", param("role")), key: "rows" } },
})

/** The value that selects every row of the table. */
export const benchRole = "member"

/** Starts a process and waits until it listens. */
export const start = async (role: Role): Promise<Running> => {
  const child: ChildProcess = fork(new URL(import.meta.url), [JSON.stringify(role)])
  const exited = once(child, "exit")
  const [url] = (await Promise.race([
    once(child, "message"),
    exited.then(() => {
      throw new Error(`the ${role.role} process ended before it listened`)
    }),
  ])) as [string]
  return {
    url,
    memory: async () => {
      child.send("memory")
      const [bytes] = (await once(child, "message")) as [number]
      return bytes
    },
    change: () => void child.send("change"),
    delay: async (millis) => {
      child.send({ delayMillis: millis })
      await once(child, "message")
    },
    waiting: async (requests) => {
      child.send({ waiting: requests })
      await once(child, "message")
    },
    stop: async () => {
      child.kill()
      await exited
    },
  }
}

const changeOneRow = `update ${wideTable} set updated_at = now() where id = (select min(id::text)::uuid from ${wideTable})`

const electric = async (rows: number): Promise<string> => {
  const db = await PGlite.create()
  await db.exec(wideDdl(wideTable))
  for (const row of wideRows(rows)) {
    await db.query(`insert into ${wideTable} values ($1, $2, $3, '${benchRole}', $4, $5, $6)`, [
      row.id,
      row.company_id,
      row.user_id,
      row.settings,
      row.created_at,
      row.updated_at,
    ])
  }
  const scope = Scope.makeUnsafe()
  const server = await Effect.runPromise(
    DevServer.make({ db, longPollTimeoutMillis: 600_000 }).pipe(Scope.provide(scope)),
  )
  process.on("message", (message) => {
    if (message === "change") void Effect.runPromise(server.exec(changeOneRow))
    if (typeof message !== "object" || message === null) return
    if ("delayMillis" in message) {
      server.faults.clear()
      const { fault } = readFault({ kind: "latency", millis: message.delayMillis })
      if (fault !== undefined && message.delayMillis !== 0) server.faults.add(fault)
      process.send?.("delayed")
    }
    if ("waiting" in message) {
      const wanted = Number(message.waiting)
      const look = setInterval(() => {
        if (server.counts().waiters < wanted) return
        clearInterval(look)
        process.send?.("waiting")
      }, 1)
    }
  })
  return server.url
}

const listen = async (
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> => {
  const server = createServer(handler).listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return `http://127.0.0.1:${address.port}`
}

const gateway = (target: string): Promise<string> => {
  const handler = nodeHandler(
    Gateway.make({
      graph: benchGraph,
      electric: { url: target },
      identify: (request) =>
        request.headers.get("authorization") === "Bearer x"
          ? { params: { role: benchRole }, subject: "x" }
          : null,
      rules: { rows: () => true },
      limits: { requestsPerSecond: 1e6, burst: 1e6, concurrent: 1e6 },
      upstreamTimeoutMillis: 700_000,
    }),
  )
  return listen((request, response) => void handler(request, response))
}

/** Passes everything on and back as it comes. */
const proxy = (target: string): Promise<string> => {
  const handler = nodeHandler(async (request) => {
    const { pathname, search } = new URL(request.url)
    return fetch(`${target}${pathname}${search}`, { signal: request.signal })
  })
  return listen((request, response) => void handler(request, response))
}

/** Passes bytes from one socket to another, without a web-standard request, response or stream in between. */
const pipe = (target: string): Promise<string> => {
  const agent = new Agent({ keepAlive: true })
  return listen((request, response) => {
    const asked = httpRequest(`${target}${request.url ?? ""}`, { agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    asked.once("error", () => response.destroy())
    asked.end()
  })
}

const run = (role: Role): Promise<string> => {
  switch (role.role) {
    case "electric":
      return electric(role.rows)
    case "gateway":
      return gateway(role.target)
    case "proxy":
      return proxy(role.target)
    case "pipe":
      return pipe(role.target)
  }
}

const argument = process.argv[2]
if (process.send !== undefined && argument?.startsWith('{"role"') === true) {
  process.on("message", (message) => {
    if (message !== "memory") return
    collectGarbage()
    const { external, heapUsed } = process.memoryUsage()
    process.send?.(heapUsed + external)
  })
  // The suite may die without a word.
  process.on("disconnect", () => process.exit())
  process.send(await run(JSON.parse(argument) as Role))
}
