/**
 * The port to the server's database: a list of statements that commit together or not at all. It exists so that endpoints are the
 * same SQL on the embedded dev-server and on a real Postgres. Two adapters: `devServer.ts`, `postgres.ts`.
 */

/** Parameters travel as text or numbers; a statement casts where Postgres cannot infer the type. */
export interface Statement {
  readonly sql: string
  readonly params?: ReadonlyArray<string | number | boolean | null>
}

/** Values are Postgres text or NULL, whatever their type, so that both adapters deliver the same. */
export type TextRow = Readonly<Record<string, string | null>>

export interface StatementResult {
  readonly rows: ReadonlyArray<TextRow>
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
): Promise<ReadonlyArray<TextRow>> => (await database.transaction([{ sql, params }]))[0]?.rows ?? []

/** The JSON of the column `doc` in each row; the convention of every statement that answers a client. */
export const documentsOf = (result: StatementResult | undefined): ReadonlyArray<unknown> =>
  (result?.rows ?? []).map((row) => JSON.parse(row["doc"] ?? "null") as unknown)

/** Runs one statement that selects `doc` and returns the documents. */
export const documents = async (
  database: Database,
  sql: string,
  params: Statement["params"] = [],
): Promise<ReadonlyArray<unknown>> => documentsOf((await database.transaction([{ sql, params }]))[0])
