/**
 * The database port on the embedded dev-server, by its `POST /sql`. Used when DATABASE_URL is not set. The token goes in a
 * header and never into an error or a log line.
 */
import { HttpProblem } from "../http/HttpProblem.ts"
import type { Database, StatementResult, TextRow } from "./Database.ts"

/** Longest wait for the dev-server, in milliseconds. A bulk insert of 10,000 rows takes well under it. */
const timeoutMillis = 20_000

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isTextRow = (value: unknown): value is TextRow =>
  isRecord(value) && Object.values(value).every((text) => text === null || typeof text === "string")

/** `{results: [{rows, affected}]}` of the dev-server. */
const resultsOf = (body: unknown): ReadonlyArray<StatementResult> => {
  const results = isRecord(body) ? body["results"] : undefined
  if (!Array.isArray(results)) {
    throw new HttpProblem("database_refused", "The dev-server answered something that is not a result.")
  }
  return results.map((result: unknown) => {
    const rows = isRecord(result) ? result["rows"] : undefined
    return { rows: Array.isArray(rows) ? rows.filter(isTextRow) : [] }
  })
}

/** A refused statement: the dev-server answers with Postgres' words and, where it has one, the SQLSTATE. */
const problemOf = (status: number, body: unknown): HttpProblem => {
  const message = isRecord(body) && typeof body["message"] === "string" ? body["message"] : `HTTP ${status}`
  const code = isRecord(body) && typeof body["sqlstate"] === "string" ? body["sqlstate"] : ""
  if (/^23.{3}$/.test(code)) return new HttpProblem("conflict", message)
  if (/^22.{3}$/.test(code)) return new HttpProblem("bad_request", message)
  if (status === 401 || status === 403) {
    return new HttpProblem("database_refused", "The dev-server refused DEV_SQL_TOKEN.")
  }
  if (status >= 500) return new HttpProblem("database_unreachable", `The dev-server failed: ${message}`)
  return new HttpProblem("database_refused", message)
}

/** The dev-server's database at `url` (its `/sql` route, or its origin). */
export const devServerDatabase = (url: string, token: string): Database => {
  const target = url.endsWith("/sql") ? url : `${url}/sql`
  const ask = async (body: string): Promise<{ readonly status: number; readonly body: unknown }> => {
    try {
      const response = await fetch(target, {
        method: "POST",
        headers: { "content-type": "application/json", "x-espalier-dev": token },
        body,
        signal: AbortSignal.timeout(timeoutMillis),
      })
      const answer = await response.text()
      try {
        return { status: response.status, body: JSON.parse(answer) as unknown }
      } catch {
        return { status: response.status, body: { message: answer.slice(0, 200) } }
      }
    } catch (cause) {
      throw new HttpProblem("database_unreachable", "The server's database does not answer.", { cause })
    }
  }
  return {
    transaction: async (statements) => {
      const payload = statements.map(({ sql, params }) => ({ sql, params: params ?? [] }))
      const answer = await ask(JSON.stringify({ statements: payload }))
      if (answer.status !== 200) throw problemOf(answer.status, answer.body)
      return resultsOf(answer.body)
    },
    close: () => Promise.resolve(),
  }
}
