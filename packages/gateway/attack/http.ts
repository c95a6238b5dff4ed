/**
 * The attack over sockets: generated requests to the gateway on Node's server, before the embedded shape server over the same database, with
 * real tokens. Handles that answers give to one caller are replayed by others.
 */
import { once } from "node:events"
import { Agent, createServer, request as httpRequest, type IncomingMessage } from "node:http"
import type { PGlite } from "@electric-sql/pglite"
import { DevServer } from "@espalier/dev-server"
import { Wire } from "@espalier/engine/protocol"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { SignJWT } from "jose"
import { nodeHandler } from "../src/adapters/node.ts"
import { Gateway, type Rules } from "../src/index.ts"
import { jwtIdentity } from "../src/jwt.ts"
import { type Caller, type Draft, generate, targetOf } from "./generate.ts"
import { seeded } from "@espalier/engine/testing"
import { emptyReport, found, judgeRefusal, judgeRows, type Report, type SeenRow } from "./verdict.ts"
import { type AttackedGraph, graph, type Reach, rules as soundRules } from "./world.ts"

/** What a run takes. */
export interface HttpRun {
  readonly db: PGlite
  readonly reach: Reach
  readonly seed: number
  readonly requests: number
  readonly rules?: Rules<AttackedGraph>
  readonly onProgress?: (done: number) => void
}

/** Requests in flight at a time. */
const width = 16
/** An answer that takes longer is a hang: the shape server holds long polls for 50 ms here. */
const hangMillis = 10_000
/** Handles kept for replay. */
const maxHandles = 200

const secret = "never-to-be-seen"
const tokenSecret = new TextEncoder().encode("a secret of this run, of more than 32 bytes")

const signer = () => {
  const known = new Map<string, Promise<string>>()
  const sign = ({ token, userId }: Caller): Promise<string> =>
    new SignJWT({ sub: userId ?? "10000000-0000-4000-8000-000000000001" })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime(token === "expired" ? 1_000 : "2h")
      .sign(token === "forged" ? new Uint8Array(32) : tokenSecret)
  return async (caller: Caller): Promise<string | null> => {
    if (caller.token === "none") return null
    if (caller.token === "garbage") return "Bearer e30.e30.e30"
    const key = JSON.stringify(caller)
    const token = known.get(key) ?? sign(caller)
    known.set(key, token)
    return `Bearer ${await token}`
  }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly text: string
}

/** Sends a draft as it is; null when Node itself refuses to put it on a wire. */
const send = async (
  port: number,
  agent: Agent,
  draft: Draft,
  token: string | null,
): Promise<Answer | null | "hang"> => {
  const signal = AbortSignal.timeout(hangMillis)
  let asked
  try {
    asked = httpRequest({
      port,
      agent,
      host: "127.0.0.1",
      method: draft.method,
      path: targetOf(draft),
      headers: {
        ...draft.headers,
        ...(token === null ? {} : { authorization: token }),
        // Named for every method: Node would write the body of a DELETE behind the request, as the start of the next one.
        ...(draft.body === null ? {} : { "content-length": String(Buffer.byteLength(draft.body)) }),
      },
      signal,
    })
  } catch {
    return null
  }
  try {
    asked.end(draft.body ?? undefined)
    const [message] = (await once(asked, "response")) as [IncomingMessage]
    let text = ""
    for await (const chunk of message.setEncoding("utf8")) text += String(chunk)
    return { status: message.statusCode ?? 0, headers: message.headers, text }
  } catch (cause) {
    if (signal.aborted) return "hang"
    throw cause
  }
}

/** Rows of a shape's answer: JSON messages, or the data lines of an event stream. */
const rowsOf = (text: string): ReadonlyArray<SeenRow> => {
  const bodies = text.startsWith("[")
    ? [text]
    : [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data ?? "")
  return bodies.flatMap((body) => {
    const parsed = JSON.parse(body) as unknown
    const messages = Array.isArray(parsed) ? parsed : [parsed]
    return messages.flatMap((message: { readonly key?: string; readonly value?: Record<string, string> }) => {
      if (message.key === undefined || message.value === undefined) return []
      const table = /^"public"\."([a-z]+)"/.exec(message.key)?.[1] ?? message.key
      return [{ table, id: message.value["id"] ?? "", columns: Object.keys(message.value) }]
    })
  })
}

const judge = (report: Report, reach: Reach, draft: Draft, answer: Answer): void => {
  const spoken = answer.text + JSON.stringify(answer.headers)
  if (spoken.includes(secret)) found(report, "leaks", "the secret", draft)
  if (answer.status === 204 && draft.method === "OPTIONS") return
  const keeps = answer.headers["cache-control"] ?? ""
  if (!keeps.includes("no-store")) found(report, "leaks", `an answer that a cache may keep: ${keeps}`, draft)
  if (answer.status >= 300 && answer.status !== 409) {
    judgeRefusal(report, draft, answer.status, answer.text, draft.method === "HEAD")
    return
  }
  report.allowed += 1
  if (answer.text !== "") judgeRows(report, reach, draft, rowsOf(answer.text))
}

const serve = async (run: HttpRun, scope: Scope.Scope, onFault: (cause: unknown) => void) => {
  const electric = await Effect.runPromise(
    DevServer.make({ db: run.db, secret, longPollTimeoutMillis: 50 }).pipe(Scope.provide(scope)),
  )
  const gateway = Gateway.make({
    graph,
    electric: { url: electric.url, secret },
    identify: jwtIdentity({
      key: { secret: tokenSecret },
      algorithms: ["HS256"],
      identity: ({ sub }) => (sub === undefined ? null : { params: { userId: sub }, subject: sub }),
    }),
    rules: run.rules ?? soundRules,
    path: "/v1/shape",
    limits: false,
    onFault: ({ cause }) => onFault(cause),
  })
  const handler = nodeHandler(gateway)
  const server = createServer((request, response) => void handler(request, response))
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the gateway's server has no port")
  const close = async (): Promise<void> => {
    await gateway.close()
    server.closeAllConnections()
    server.close()
    await once(server, "close")
  }
  return { port: address.port, close }
}

/** Attacks over HTTP. */
export const attackHttp = async (run: HttpRun): Promise<Report> => {
  const report = emptyReport(run.seed)
  const random = seeded(run.seed)
  const scope = Scope.makeUnsafe()
  const handles: Array<string> = []
  let current: Draft | null = null
  const { close, port } = await serve(run, scope, (cause) => {
    if (current !== null) found(report, "crashes", `near this request: ${String(cause)}`, current)
  })
  const agent = new Agent({ keepAlive: true, maxSockets: width })
  const tokenOf = signer()
  /** Sent or being sent: drafts that Node refuses to put on a wire are not counted. */
  let begun = 0
  const worker = async (): Promise<void> => {
    while (begun < run.requests) {
      begun += 1
      if (begun % 5_000 === 0) run.onProgress?.(begun)
      const draft = generate(random, handles)
      current = draft
      const answer = await send(port, agent, draft, await tokenOf(draft.caller))
      if (answer === null) {
        begun -= 1
        continue
      }
      report.httpRequests += 1
      if (answer === "hang") {
        found(report, "crashes", `no answer within ${hangMillis} ms`, draft)
        continue
      }
      const handle = answer.headers[Wire.Header.handle]
      if (typeof handle === "string" && handles.length < maxHandles) handles.push(handle)
      judge(report, run.reach, draft, answer)
    }
  }
  await Promise.all(Array.from({ length: width }, worker))
  agent.destroy()
  await close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return report
}
