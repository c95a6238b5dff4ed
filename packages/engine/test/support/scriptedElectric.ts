/**
 * A small HTTP server that speaks the shape protocol from a script, on 127.0.0.1. Exists so that the Electric adapter is tested
 * with the real official client over real sockets, faults included. It keeps logs in memory and knows no SQL. Tests only.
 *
 * A request is answered by the first fault queued for its shape, else from the shape's log.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"
import type { Batch } from "../../src/ports/ShapeSource.ts"

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** What to do with a request instead of answering from the log. `pass` lets it through. */
export type Fault =
  | Reply
  | "hang"
  | "reset"
  | "cut-body"
  | "stall-body"
  | "truncate"
  | "pass"
  | ((request: SeenRequest) => Reply)

export interface SeenRequest {
  readonly shape: string
  readonly url: URL
  readonly headers: IncomingMessage["headers"]
  /** Monotonic milliseconds. */
  readonly at: number
}

export interface ShapeLog {
  handle: string
  chunks: ReadonlyArray<Batch>
}

const liveTimeoutMillis = 20_000

export class ScriptedElectric {
  readonly seen: Array<SeenRequest> = []
  readonly #logs = new Map<string, ShapeLog>()
  readonly #faults = new Map<string, Array<Fault>>()
  readonly #waiters = new Set<() => void>()
  readonly #open = new Map<ServerResponse, string>()
  readonly #server: Server
  /** A request it turns down meets a 401. */
  guard: (request: SeenRequest) => boolean = () => true
  /** Batches written to the wire, by shape. */
  readonly sent = new Map<string, number>()

  constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response))
  }

  /** Starts on a free port of 127.0.0.1 and stops with the scope. */
  static readonly start: Effect.Effect<ScriptedElectric, never, Scope.Scope> = Effect.acquireRelease(
    Effect.promise(async () => {
      const electric = new ScriptedElectric()
      await electric.#listen()
      return electric
    }),
    (electric) => Effect.promise(() => electric.#close()),
  )

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/shape`
  }

  /** Sets or replaces the log of a shape (named by its table or node); waiting polls see it at once. */
  serve(shape: string, handle: string, chunks: ReadonlyArray<Batch>): void {
    this.#logs.set(shape, { handle, chunks })
    this.#wake()
  }

  append(shape: string, ...chunks: ReadonlyArray<Batch>): void {
    const log = this.#logs.get(shape) ?? { handle: `${shape}-1`, chunks: [] }
    this.#logs.set(shape, { ...log, chunks: [...log.chunks, ...chunks] })
    this.#wake()
  }

  /** The next requests of a shape meet these, one each. */
  fault(shape: string, ...faults: ReadonlyArray<Fault>): void {
    this.#faults.set(shape, [...(this.#faults.get(shape) ?? []), ...faults])
    this.#wake()
  }

  requests(shape: string): ReadonlyArray<URL> {
    return this.seen.filter((request) => request.shape === shape).map((request) => request.url)
  }

  open(shape?: string): number {
    return [...this.#open.values()].filter((name) => shape === undefined || name === shape).length
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://127.0.0.1")
    const shape = url.searchParams.get("table") ?? url.searchParams.get("node") ?? ""
    const seen: SeenRequest = { shape, url, headers: request.headers, at: performance.now() }
    this.seen.push(seen)
    this.#open.set(response, shape)
    response.once("close", () => this.#open.delete(response))
    this.#serveOne(seen, response)
  }

  #serveOne(request: SeenRequest, response: ServerResponse): void {
    if (!this.guard(request)) return void response.writeHead(401).end()
    const fault = this.#faults.get(request.shape)?.shift() ?? "pass"
    if (fault === "hang") return
    if (fault === "pass") return this.#fromLog(request, response)
    if (fault === "reset") return void response.socket?.destroy()
    if (fault === "cut-body" || fault === "stall-body") {
      response.writeHead(200, { ...shapeHeaders("h", "0_0"), "content-length": "1000" })
      response.write('[{"key":')
      if (fault === "cut-body") setTimeout(() => response.socket?.destroy(), 20)
      return
    }
    if (fault === "truncate") {
      const headers = { ...shapeHeaders("h1", "0_0"), "content-length": "1000", connection: "close" }
      response.writeHead(200, headers)
      response.end('[{"key":')
      return
    }
    const reply = typeof fault === "function" ? fault(request) : fault
    response.writeHead(reply.status ?? 200, reply.headers ?? {})
    response.end(reply.body ?? "")
  }

  #fromLog(request: SeenRequest, response: ServerResponse): void {
    const log = this.#logs.get(request.shape)
    if (log === undefined) {
      response.writeHead(400, { "content-type": "application/json" })
      response.end(JSON.stringify({ message: "Invalid request", errors: { table: ["no such shape"] } }))
      return
    }
    const query = request.url.searchParams
    const offset = query.get("offset") ?? "-1"
    const live = query.get("live") === "true"
    if (offset !== "-1" && query.get("handle") !== log.handle) {
      response.writeHead(409, { "content-type": "application/json", "electric-handle": log.handle })
      response.end(JSON.stringify([{ headers: { control: "must-refetch" } }]))
      return
    }
    const next = log.chunks.find(
      (chunk) => offset === "-1" || position(chunk.checkpoint.offset) > position(offset),
    )
    if (next !== undefined) return this.#write(request, response, log, next, live)
    if (!live) return this.#write(request, response, log, emptyPoll(log, offset), false)
    this.#wait(request, response, log, offset)
  }

  #wait(request: SeenRequest, response: ServerResponse, log: ShapeLog, offset: string): void {
    const finish = (): void => {
      clearTimeout(timer)
      this.#waiters.delete(wake)
    }
    const wake = (): void => {
      finish()
      this.#serveOne(request, response)
    }
    const timer = setTimeout(() => {
      finish()
      this.#write(request, response, log, emptyPoll(log, offset), true)
    }, liveTimeoutMillis)
    this.#waiters.add(wake)
    response.once("close", finish)
  }

  #write(request: SeenRequest, response: ServerResponse, log: ShapeLog, chunk: Batch, live: boolean): void {
    this.sent.set(request.shape, (this.sent.get(request.shape) ?? 0) + 1)
    const upToDate = { headers: { control: "up-to-date", global_last_seen_lsn: chunk.lastSeenLsn ?? "0" } }
    response.writeHead(200, {
      ...shapeHeaders(log.handle, chunk.checkpoint.offset),
      ...(chunk.upToDate ? { "electric-up-to-date": "" } : {}),
      ...(live ? { "electric-cursor": "1000" } : { "electric-schema": schema }),
    })
    response.end(JSON.stringify([...chunk.messages, ...(chunk.upToDate ? [upToDate] : [])]))
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake()
  }

  #listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve))
  }

  #close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }
}

/** As the real server sends it: types the official client would parse, and a column that must not be NULL. */
const schema = JSON.stringify({
  id: { type: "int8", pk_index: 0, not_null: true },
  name: { type: "text", not_null: true },
  active: { type: "bool" },
  data: { type: "jsonb" },
  at: { type: "timestamptz" },
  list: { type: "int4", dims: 1 },
})

export const shapeHeaders = (handle: string, offset: string): Record<string, string> => ({
  "content-type": "application/json; charset=utf-8",
  "electric-handle": handle,
  "electric-offset": offset,
  "electric-schema": "{}",
})

const emptyPoll = (log: ShapeLog, offset: string): Batch => ({
  _tag: "Batch",
  checkpoint: { handle: log.handle, offset },
  messages: [],
  upToDate: true,
  lastSeenLsn: "0",
  bytes: 0,
})

const position = (offset: string): number => {
  const [transaction = "0", operation = "0"] = offset.split("_")
  return Number(transaction) * 1_000_000 + (operation === "inf" ? 999_999 : Number(operation))
}
