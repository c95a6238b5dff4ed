/**
 * The port to the server's database: a list of statements that commit together or not at all. It exists so that endpoints are the
 * same SQL on the embedded dev-server and on a real Postgres. Two adapters: `devServer.ts`, `postgres.ts`.
 */

/** Parameters travel as text or numbers; a statement casts where Postgres cannot infer the type. */
export interface Statement {
  readonly sql: string
  readonly params?: ReadonlyArray<string | number | boolean | null>
}

/** Rows as JSON values. Statements select text, numbers and jsonb only, which both adapters deliver alike. */
export interface StatementResult {
  readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>
}

export interface Database {
  /**
   * Runs the statements in one transaction, in order.
   *
   * @throws HttpProblem `database_unreachable` (503), `conflict` (409) or `database_refused` (502).
   */
  readonly transaction: (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<StatementResult>>
  readonly close: () => Promise<void>
}

/** Runs one statement and returns its rows. */
export const rowsOf = async (
  database: Database,
  sql: string,
  params: Statement["params"] = [],
): Promise<StatementResult["rows"]> => (await database.transaction([{ sql, params }]))[0]?.rows ?? []
