/**
 * `POST /sql`: ordinary SQL for the page server of a development setup, because a database inside this process has no
 * wire protocol. Off unless a token is given; loopback `Host` only, no CORS, one transaction per request. Never for production.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import { type Database, SqlFailure, type StatementResult, type Text } from "../db/Database.ts"
import { answer, refusal, refused } from "./guard.ts"

interface Statement {
  readonly sql: string
  readonly params: ReadonlyArray<Text>
}

type Answer = HttpServerResponse.HttpServerResponse

/** Bytes a body may have. */
const maxBody = ByteSize.megabytes(64)

/** Answers `POST /sql`. */
export const serveSql = (
  db: Database,
  token: string,
  request: HttpServerRequest.HttpServerRequest,
): Effect.Effect<Answer> =>
  Effect.gen(function* () {
    const closed = refusal(request, token, ["POST"])
    if (closed !== null) return closed
    const body = yield* request.text.pipe(
      Effect.map(readStatements),
      Effect.provideService(HttpServerRequest.MaxBodySize, maxBody),
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
