/**
 * Sends random requests to a dev-server of its own while rows are written, and holds every answer to its documented form
 * and every row to the asked filter, which Postgres itself evaluates. Used by the `fuzz` command and, in small, by the tests.
 */
import { Agent, globalAgent, type IncomingMessage, request as httpRequest } from "node:http"
import { PGlite } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { DevServer, type DevServerHandle } from "../src/DevServer.ts"
import { seeded, type Seeded } from "@espalier/engine/testing"
import { type FuzzRequest, makeRequest, type Seen } from "./generate.ts"
import { type FuzzAnswer, judgeForm, rowsOf } from "./judge.ts"
import { schema, someWrite } from "./tables.ts"

/** How a run is made. */
export interface FuzzOptions {
  readonly requests: number
  readonly seed: number
  readonly tell?: (line: string) => void
}

/** Something that must not happen. */
export interface Finding {
  readonly kind: "crash" | "hang" | "form" | "row"
  readonly request: string
  readonly detail: string
}

/** What a run came to. */
export interface FuzzReport {
  readonly requests: number
  readonly seed: number
  readonly seconds: number
  readonly byStatus: Readonly<Record<string, number>>
  readonly rowsChecked: number
  readonly findings: ReadonlyArray<Finding>
  /** Requests still waiting at the end, after every client had gone. */
  readonly waitersLeft: number
}

/** A request without an answer after this hangs. */
const hangMillis = 10_000

/** An event stream that says nothing for so long has nothing to say: its headers are judged. */
const idleStreamMillis = 50

const requestsPerBatch = 100
const concurrency = 8
const maxSeen = 60
const maxFindings = 20

/** Runs. Findings end it early when there are many. */
export const fuzz = async (options: FuzzOptions): Promise<FuzzReport> => {
  const db = await PGlite.create()
  await db.exec(schema)
  const scope = Scope.makeUnsafe()
  const server = await Effect.runPromise(
    DevServer.make({
      db,
      longPollTimeoutMillis: 20,
      chunkBytes: 2_000,
      maxShapes: 200,
      maxLogBytes: 100_000,
      sqlToken: "sql-token",
      faultToken: "fault-token",
      allowDelete: true,
    }).pipe(Scope.provide(scope)),
  )
  const run = new Run(options, db, server)
  const report = await run.all()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await db.close()
  return report
}

class Run {
  readonly #options: FuzzOptions
  readonly #db: PGlite
  readonly #server: DevServerHandle
  readonly #rng: Seeded
  readonly #seen: Array<Seen> = []
  readonly #findings: Array<Finding> = []
  readonly #byStatus: Record<string, number> = {}
  #rowsChecked = 0

  constructor(options: FuzzOptions, db: PGlite, server: DevServerHandle) {
    this.#options = options
    this.#db = db
    this.#server = server
    this.#rng = seeded(options.seed)
  }

  async all(): Promise<FuzzReport> {
    const { requests, seed, tell } = this.#options
    const start = performance.now()
    let sent = 0
    while (sent < requests && this.#findings.length < maxFindings) {
      for (let write = this.#rng.between(0, 3); write > 0; write -= 1)
        await this.#db.exec(someWrite(this.#rng))
      const count = Math.min(requestsPerBatch, requests - sent)
      const batch = Array.from({ length: count }, () => makeRequest(this.#rng, this.#seen))
      await inParallel(batch, concurrency, (request) => this.#one(request))
      sent += count
      if (sent % 10_000 < requestsPerBatch) tell?.(`${sent} requests, ${this.#findings.length} findings`)
    }
    const waitersLeft = await this.#waitersLeft()
    const seconds = Math.round((performance.now() - start) / 100) / 10
    const [byStatus, rowsChecked, findings] = [this.#byStatus, this.#rowsChecked, this.#findings]
    return { requests: sent, seed, seconds, byStatus, rowsChecked, findings, waitersLeft }
  }

  async #one(request: FuzzRequest): Promise<void> {
    const { url } = this.#server
    const find = (kind: Finding["kind"], detail: string): void => {
      const { method, path, headers, body } = request
      this.#findings.push({
        kind,
        request: JSON.stringify({ method, path, headers, body: body?.slice(0, 200) ?? null }),
        detail,
      })
    }
    const answer = await send(url, request)
    if (typeof answer === "string") {
      find(answer === "hang" ? "hang" : "crash", answer)
      return
    }
    this.#byStatus[answer.status] = (this.#byStatus[answer.status] ?? 0) + 1
    const wrong = judgeForm(request.method, answer)
    if (wrong !== null) find("form", wrong)
    const foreign = await this.#foreignRows(request, answer)
    if (foreign !== null) find("row", foreign)
    this.#remember(request, answer)
  }

  /** Rows of an answer that the filter does not hold; of subquery shapes only the outer half of the truth is known. */
  async #foreignRows({ filter }: FuzzRequest, answer: FuzzAnswer): Promise<string | null> {
    const rows = filter === null || filter.hasSubquery ? [] : rowsOf(answer)
    const known = rows.filter((row) => Object.keys(row).length === columnsOfItems)
    if (filter === null || known.length === 0) return null
    this.#rowsChecked += known.length
    const { rows: foreign } = await this.#db.query<{ row: string }>(
      `select items::text as row from jsonb_populate_recordset(null::items, $1::jsonb) as items where (${filter.sql}) is not true`,
      [JSON.stringify(known)],
    )
    return foreign.length === 0
      ? null
      : `rows outside ${filter.sql}: ${JSON.stringify(foreign).slice(0, 300)}`
  }

  #remember({ filter, path }: FuzzRequest, { headers, status }: FuzzAnswer): void {
    const [handle, offset] = [headers["electric-handle"], headers["electric-offset"]]
    if (status !== 200 || typeof handle !== "string" || typeof offset !== "string") return
    const query = path.slice(path.indexOf("?") + 1)
    this.#seen.push({ query, handle, offset, filter })
    if (this.#seen.length > maxSeen) this.#seen.splice(this.#rng.between(0, maxSeen - 1), 1)
  }

  async #waitersLeft(): Promise<number> {
    const until = performance.now() + 2_000
    while (this.#server.counts().waiters > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return this.#server.counts().waiters
  }
}

const columnsOfItems = 10

const inParallel = async <A>(
  items: ReadonlyArray<A>,
  width: number,
  work: (item: A) => Promise<void>,
): Promise<void> => {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

/**
 * The answer, `hang`, or what broke. A kept connection that the server had closed is no finding: a new one is tried, which is not
 * to be closed after the answer either, because an answer that comes before a large body was sent is lost when its socket closes.
 */
const send = (url: string, request: FuzzRequest, isRetry = false): Promise<FuzzAnswer | string> =>
  new Promise((resolve) => {
    const { body, headers, method, path } = request
    const { hostname, port } = new URL(url)
    const agent = isRetry ? new Agent({ keepAlive: true }) : globalAgent
    const outgoing = httpRequest(
      { hostname, port, method, path, headers, agent },
      (incoming) => void receive(incoming).then(resolve),
    )
    const timer = setTimeout(() => {
      resolve("hang")
      outgoing.destroy()
    }, hangMillis)
    outgoing.once("close", () => {
      clearTimeout(timer)
      if (isRetry) agent.destroy()
    })
    outgoing.once("error", (error: NodeJS.ErrnoException) => {
      const mayRetry = outgoing.reusedSocket && !isRetry && error.code === "ECONNRESET"
      if (mayRetry) void send(url, request, true).then(resolve)
      else resolve(`${error.code ?? ""} ${error.message}`)
    })
    outgoing.end(body ?? undefined)
  })

/** The whole answer; of an event stream its first piece. */
const receive = (incoming: IncomingMessage): Promise<FuzzAnswer> =>
  new Promise((resolve) => {
    const pieces: Array<Buffer> = []
    const isStream = String(incoming.headers["content-type"]).startsWith("text/event-stream")
    const done = (isWhole: boolean): void => {
      const body = Buffer.concat(pieces).toString()
      resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body, isWhole })
    }
    const leave = (): void => {
      done(false)
      incoming.destroy()
    }
    const timer = isStream ? setTimeout(leave, idleStreamMillis) : undefined
    incoming.once("close", () => clearTimeout(timer))
    incoming.on("data", (piece: Buffer) => {
      pieces.push(piece)
      if (isStream) leave()
    })
    incoming.once("end", () => done(true))
    incoming.once("error", () => done(false))
  })
