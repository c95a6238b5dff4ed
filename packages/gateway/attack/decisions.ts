/**
 * The attack on the decision alone: the whole gateway but its socket to the shape server, which is replaced by an interpreter of what it
 * would be asked. The interpreter reads the upstream address as Electric does (of a repeated parameter the last counts) and evaluates the shape in the
 * database, so a definition that selects too much is a leak even when nobody sends rows.
 */
import type { PGlite } from "@electric-sql/pglite"
import { Wire } from "@espalier/engine/protocol"
import { Gateway, type GatewayIdentity, type Rules } from "../src/index.ts"
import { type Caller, type Draft, generate, targetOf } from "./generate.ts"
import { seeded } from "@espalier/engine/testing"
import { emptyReport, found, judgeRefusal, judgeRows, type Report, type SeenRow } from "./verdict.ts"
import { type AttackedGraph, graph, type Reach, rules as soundRules } from "./world.ts"

/** What a run takes. */
export interface DecisionRun {
  readonly db: PGlite
  readonly reach: Reach
  readonly seed: number
  readonly requests: number
  /** Other rules than the sound ones: how a test shows that the attack finds something. */
  readonly rules?: Rules<AttackedGraph>
  readonly onProgress?: (done: number) => void
}

const secret = "never-to-be-seen"

/** A shape as an upstream address defines it, evaluated once per definition. */
const interpreter = (db: PGlite) => {
  const known = new Map<string, Promise<ReadonlyArray<SeenRow>>>()
  return (url: URL): Promise<ReadonlyArray<SeenRow>> => {
    const last = new Map([...url.searchParams])
    const table = last.get(Wire.Param.table) ?? ""
    const where = last.get(Wire.Param.where) ?? "true"
    const columns = (last.get(Wire.Param.columns) ?? "").split(",")
    const params: Array<string> = []
    for (const [name, value] of last) {
      const index = /^params\[(\d+)\]$/.exec(name)?.[1]
      if (index !== undefined) params[Number(index) - 1] = value
    }
    const key = JSON.stringify([table, where, columns, params])
    const cached = known.get(key)
    if (cached !== undefined) return cached
    const rows = db
      .query<{ readonly id: string }>(`select id from ${table} where ${where}`, params)
      .then((result) => result.rows.map(({ id }) => ({ table, id, columns })))
    known.set(key, rows)
    return rows
  }
}

const bearerOf = (caller: Caller): string | null =>
  caller.token === "none" ? null : `${caller.token} ${caller.userId ?? "nobody"}`

const identify = (request: Request): GatewayIdentity | null => {
  const [token, userId] = (request.headers.get("authorization") ?? "").split(" ")
  if (token === "expired") return { params: { userId: userId ?? "" }, expiresAt: 0 }
  return token === "valid" && userId !== undefined ? { params: { userId }, subject: userId } : null
}

/** A web-standard request of a draft, or null when the standard cannot say it (it would never reach a handler). */
const requestOf = (draft: Draft): Request | null => {
  const bearer = bearerOf(draft.caller)
  try {
    return new Request(`http://gateway.test${targetOf(draft)}`, {
      method: draft.method,
      headers: { ...draft.headers, ...(bearer === null ? {} : { authorization: bearer }) },
      ...(draft.body === null ? {} : { body: draft.body }),
    })
  } catch {
    return null
  }
}

/** Attacks the decision. */
export const attackDecisions = async (run: DecisionRun): Promise<Report> => {
  const report = emptyReport(run.seed)
  const random = seeded(run.seed)
  const rowsOf = interpreter(run.db)
  const asked: { url: URL | null } = { url: null }
  let faults: Array<unknown> = []
  const gateway = Gateway.make({
    graph,
    electric: { url: "http://electric.test", secret },
    identify,
    rules: run.rules ?? soundRules,
    path: "/v1/shape",
    limits: false,
    fetch: (input) => {
      asked.url = new URL(String(input))
      return Promise.resolve(new Response("[]"))
    },
    onFault: ({ cause }) => faults.push(cause),
  })
  // Drafts that no web-standard request can express are not counted: what is asked for is what is decided.
  while (report.requests < run.requests) {
    const draft = generate(random, [])
    const request = requestOf(draft)
    if (request === null) continue
    report.requests += 1
    asked.url = null
    faults = []
    const answer = await gateway(request)
    const text = await answer.text()
    for (const fault of faults) found(report, "crashes", String(fault), draft)
    if (text.includes(secret) || [...answer.headers.values()].some((value) => value.includes(secret))) {
      found(report, "leaks", "the secret", draft)
    }
    if (asked.url !== null) {
      report.allowed += 1
      judgeRows(report, run.reach, draft, await rowsOf(asked.url))
    } else if (answer.status >= 300)
      judgeRefusal(report, draft, answer.status, text, request.method === "HEAD")
    if (report.requests % 10_000 === 0) run.onProgress?.(report.requests)
  }
  await gateway.close()
  return report
}
