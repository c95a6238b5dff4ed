/**
 * The one way a route of the demo says no: status, stable code, a sentence and, for a bad body, the field. Exists so that no
 * route invents its own error shape and none leaks a stack. Thrown by validators, endpoints and database adapters;
 * turned into a response by `respond.ts` only.
 */

/** Stable codes in the body `{code, message, field?}`. */
export type ProblemCode =
  | "bad_request"
  | "unauthenticated"
  | "not_found"
  | "method_not_allowed"
  | "conflict"
  | "database_unreachable"
  | "database_refused"
  | "internal"

const statusOf: Readonly<Record<ProblemCode, number>> = {
  bad_request: 400,
  unauthenticated: 401,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  database_unreachable: 503,
  database_refused: 502,
  internal: 500,
}

/** An answer other than 2xx. `field` names the offending field of the body or query, as a path. */
export class HttpProblem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly field: string | null
  /** Methods the path does have, for `allow` on a 405. */
  readonly allow: ReadonlyArray<string>
  constructor(
    code: ProblemCode,
    message: string,
    options: {
      readonly field?: string
      readonly allow?: ReadonlyArray<string>
      readonly cause?: unknown
    } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = "HttpProblem"
    this.code = code
    this.status = statusOf[code]
    this.field = options.field ?? null
    this.allow = options.allow ?? []
  }

  /** The JSON body. */
  toBody(): { readonly code: ProblemCode; readonly message: string; readonly field?: string } {
    return this.field === null
      ? { code: this.code, message: this.message }
      : { code: this.code, message: this.message, field: this.field }
  }
}

/** 404 for a row that does not exist. */
export const notFound = (what: string, id: string): HttpProblem =>
  new HttpProblem("not_found", `There is no ${what} with the id ${id}.`)
