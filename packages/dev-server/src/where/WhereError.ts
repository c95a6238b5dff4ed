/** What is wrong with a shape definition, in Electric's words and under Electric's error field. */

/** Thrown while a `where`, `params`, `columns` or `table` is analysed; becomes a 400. */
export class DefinitionError extends Error {
  readonly _tag = "DefinitionError"
  /** The field of `errors` in the answer. */
  readonly field: string
  /** `cause`: what Postgres said, where it was Postgres. */
  constructor(field: string, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = "DefinitionError"
    this.field = field
  }
}

/** Length of `SELECT 1 WHERE `, which Electric puts before a clause; syntax errors count from its start, all others from the clause's. */
export const clausePrefix = "SELECT 1 WHERE "

/** A where-error at a location of the prefixed text. */
export const whereErrorAt = (location: unknown, message: string): DefinitionError =>
  new DefinitionError("where", `At location ${Number(location ?? 0) - clausePrefix.length}: ${message}`)

/** A where-error at a location counted with the prefix, as Electric does in some places. */
export const whereErrorAtRaw = (location: unknown, message: string): DefinitionError =>
  new DefinitionError("where", `At location ${location === undefined ? 0 : String(location)}: ${message}`)

/** A where-error without a place. */
export const whereError = (message: string): DefinitionError => new DefinitionError("where", message)
