/**
 * Lets another process on this machine look at a running engine: a small HTTP server that answers with JSON and changes
 * nothing. For Node hosts that want `pnpm graph --live`; nothing starts it by itself. Instance keys carry ids, so it listens on
 * the loopback address only, and refuses requests that name another host (a page that rebinds its DNS name) or any method but GET.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { EngineStatus, Explanation, JournalEntry, RowExplanation } from "../protocol/InstanceStatus.ts"

/** What is looked at; a `PlainEngine` is one. */
export interface Inspected {
  readonly status: () => EngineStatus
  readonly explain: (key: string) => Explanation
  readonly explainRow: (table: string, primaryKey: ReadonlyArray<string>) => Promise<RowExplanation>
  readonly journal: () => ReadonlyArray<JournalEntry>
}

export interface Inspector extends AsyncDisposable {
  /** Where it listens, for `pnpm graph --live`. */
  readonly url: string
  readonly close: () => Promise<void>
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

const routes = "GET /status, /explain?key=, /row?table=&pk=, /journal"

const answer = async (engine: Inspected, url: URL): Promise<Answer> => {
  const query = url.searchParams
  switch (url.pathname) {
    case "/status":
      return { status: 200, body: engine.status() }
    case "/explain":
      return { status: 200, body: engine.explain(query.get("key") ?? "") }
    case "/row":
      return { status: 200, body: await engine.explainRow(query.get("table") ?? "", query.getAll("pk")) }
    case "/journal":
      return { status: 200, body: engine.journal() }
    default:
      return { status: 404, body: { message: `unknown path; use ${routes}` } }
  }
}

const loopback: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"])

const isLocal = (request: IncomingMessage): boolean => {
  const address = `http://${request.headers.host ?? ""}`
  return URL.canParse(address) && loopback.has(new URL(address).hostname)
}

const respond = async (
  engine: Inspected,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  let { body, status }: Answer = { status: 500, body: null }
  if (!isLocal(request)) ({ body, status } = { status: 403, body: { message: "only for this machine" } })
  else if (request.method !== "GET")
    ({ body, status } = { status: 405, body: { message: `read only; use ${routes}` } })
  else
    try {
      ;({ body, status } = await answer(engine, new URL(request.url ?? "/", "http://localhost")))
    } catch (cause) {
      body = { message: cause instanceof Error ? cause.message : String(cause) }
    }
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
  response.end(JSON.stringify(body))
}

/** Starts to answer on a loopback port. Default: any free one. Rejects when the port is taken. */
export const serveInspector = async (
  engine: Inspected,
  options: { readonly port?: number } = {},
): Promise<Inspector> => {
  const server = createServer((request, response) => void respond(engine, request, response))
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(options.port ?? 0, "127.0.0.1", resolve)
  })
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close, [Symbol.asyncDispose]: close }
}
