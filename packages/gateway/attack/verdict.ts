/**
 * Judges answers: rows outside the caller's reach are leaks, refusals in another form than the documented one are counted, and so are crashes. Pure
 * but for its counters.
 */
import { Wire } from "@espalier/engine/protocol"
import type { Draft } from "./generate.ts"
import { targetOf } from "./generate.ts"
import { hiddenColumn, type Reach } from "./world.ts"

/** What a run found. */
export interface Report {
  readonly seed: number
  requests: number
  httpRequests: number
  /** Rows or columns outside the caller's reachable set. */
  leaks: number
  /** Refusals that are neither the gateway's `{code, message}` with a documented code nor the shape server's own error. */
  undocumentedRefusals: number
  /** Throws, hangs and 500s. */
  crashes: number
  /** Requests that were let through, and rows that came with them: an attack that never gets in proves nothing. */
  allowed: number
  rows: number
  readonly codes: Record<string, number>
  /** The first few findings, as requests to send again. */
  readonly findings: Array<{ readonly what: string; readonly request: string }>
  seconds: number
}

/** Findings kept in a report. */
const maxFindings = 20

export const emptyReport = (seed: number): Report => ({
  seed,
  requests: 0,
  httpRequests: 0,
  leaks: 0,
  undocumentedRefusals: 0,
  crashes: 0,
  allowed: 0,
  rows: 0,
  codes: {},
  findings: [],
  seconds: 0,
})

type Fault = "leaks" | "undocumentedRefusals" | "crashes"

export const found = (report: Report, fault: Fault, what: string, draft: Draft): void => {
  report[fault] += 1
  if (report.findings.length >= maxFindings) return
  const caller = draft.caller.userId ?? `nobody (${draft.caller.token})`
  const body = draft.body === null ? "" : ` ${draft.body}`
  report.findings.push({
    what: `${fault}: ${what}`,
    request: `${draft.method} ${targetOf(draft)} as ${caller} ${JSON.stringify(draft.headers)}${body}`,
  })
}

/** A row as a node delivers it. */
export interface SeenRow {
  readonly table: string
  readonly id: string
  readonly columns: ReadonlyArray<string>
}

/** Checks rows against what the caller can reach. */
export const judgeRows = (report: Report, reach: Reach, draft: Draft, rows: ReadonlyArray<SeenRow>): void => {
  const mine = draft.caller.userId === null ? undefined : reach.get(draft.caller.userId)
  for (const { columns, id, table } of rows) {
    report.rows += 1
    if (mine?.has(`${table} ${id}`) !== true) found(report, "leaks", `row ${id} of ${table}`, draft)
    else if (columns.includes(hiddenColumn))
      found(report, "leaks", `column ${hiddenColumn} of ${table}`, draft)
  }
}

const codes: ReadonlySet<string> = new Set(Object.values(Wire.GatewayCode))

/** What an error body says: the gateway's code, `"upstream"` for the shape server's own form, or null for neither. */
const codeOf = (text: string): string | null => {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof body !== "object" || body === null) return null
  const { code, message } = body as { readonly code?: unknown; readonly message?: unknown }
  if (typeof code === "string") return codes.has(code) && typeof message === "string" ? code : null
  return typeof message === "string" || "errors" in body ? "upstream" : null
}

/** Checks a refusal's form. `head`: such an answer has no body to look at. */
export const judgeRefusal = (
  report: Report,
  draft: Draft,
  status: number,
  text: string,
  head: boolean,
): void => {
  const code = head && text === "" ? "head" : codeOf(text)
  report.codes[code ?? "none"] = (report.codes[code ?? "none"] ?? 0) + 1
  if (code === null) found(report, "undocumentedRefusals", `${status} ${text.slice(0, 200)}`, draft)
  else if (status >= 500) found(report, "crashes", `${status} ${text.slice(0, 200)}`, draft)
}
