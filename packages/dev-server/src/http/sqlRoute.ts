/**
 * `POST /sql`: ordinary SQL for the page server of a development setup, because a database inside this process has no
 * wire protocol. Off unless a token is given; loopback `Host` only, no CORS, one transaction per request. Never for production.
 */
import { timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { type Database, SqlFailure, type StatementResult, type Text } from "../db/Database.ts"

/** Header that carries the token. */
export const tokenHeader = "x-espalier-dev"

interface Statement {
  readonly sql: string
  readonly params: ReadonlyArray<Text>
}

type Answer = HttpServerResponse.HttpServerResponse

const answer = (status: number, body: unknown): Answer =>
  HttpServerResponse.text(JSON.stringify(body), {
    status,
    contentType: "application/json; charset=utf-8",
    headers: { "cache-control": "no-store" },
  })

const refused = (status: number, code: string, message: string): Answer => answer(status, { code, message })

/** Whether a `Host` header names this machine; guards against a foreign page that resolves to it. */
export const isLoopbackHost = (host: string | undefined): boolean =>
  host !== undefined && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/iu.test(host)

const isToken = (given: string | undefined, token: string): boolean => {
  const [a, b] = [Buffer.from(given ?? ""), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Answers `POST /sql`. */
export const serveSql = (
  db: Database,
  token: string,
  request: HttpServerRequest.HttpServerRequest,
): Effect.Effect<Answer> =>
  Effect.gen(function* () {
    if (!isLoopbackHost(request.headers["host"]))
      return refused(403, "forbidden_host", "Only for this machine")
    if (!isToken(request.headers[tokenHeader], token)) {
      return refused(401, "unauthorized", `Header ${tokenHeader} is missing or wrong`)
    }
    if (request.method !== "POST") return refused(405, "method_not_allowed", "Use POST")
    const body = yield* request.text.pipe(
      Effect.map(readStatements),
      Effect.catch(() => Effect.succeed(null)),
    )
    if (body === null) {
      return refused(
        400,
        "bad_request",
        'The body must be {"statements":[{"sql":"…","params":[…]}]} with text, number, boolean or null params',
      )
    }
    return yield* runAll(db, body)
  })

const runAll = (db: Database, statements: ReadonlyArray<Statement>): Effect.Effect<Answer> => {
  let at = 0
  return Effect.tryPromise({
    try: () =>
      db.transaction(async (sql) => {
        const results: Array<unknown> = []
        for (const [index, statement] of statements.entries()) {
          at = index
          results.push(toResult(await sql.run(statement.sql, statement.params)))
        }
        return results
      }),
    catch: (error) => error,
  }).pipe(
    Effect.map((results) => answer(200, { results })),
    Effect.catch((error) =>
      Effect.succeed(
        answer(400, {
          code: "sql_failed",
          message: error instanceof Error ? error.message : String(error),
          sqlstate: error instanceof SqlFailure ? error.sqlstate : null,
          statement: at,
        }),
      ),
    ),
  )
}

const toResult = (result: StatementResult): unknown => ({
  rows: result.rows.map((row) =>
    Object.fromEntries(result.columns.map((name, index) => [name, row[index] ?? null])),
  ),
  affected: result.affected,
})

const readStatements = (text: string): ReadonlyArray<Statement> | null => {
  const body: unknown = parseJson(text)
  if (typeof body !== "object" || body === null || !("statements" in body) || !Array.isArray(body.statements))
    return null
  const statements = body.statements.map(readStatement)
  return statements.every((statement) => statement !== null) ? statements : null
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // Malformed JSON is one of the ways a body is not a list of statements.
    return null
  }
}

const readStatement = (value: unknown): Statement | null => {
  if (typeof value !== "object" || value === null || !("sql" in value) || typeof value.sql !== "string")
    return null
  const given: unknown = "params" in value ? value.params : []
  if (!Array.isArray(given)) return null
  const params = given.map(toText)
  return params.includes(undefined)
    ? null
    : { sql: value.sql, params: params.filter((param) => param !== undefined) }
}

const toText = (value: unknown): Text | undefined => {
  if (value === null || typeof value === "string") return value
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined
}
