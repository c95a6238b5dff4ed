/**
 * What an endpoint of `/api/server` is: method, path, validated parts, a sentence, and a handler. The list a client gets from
 * `GET /api/server` is made from the same declarations that are run, so it cannot drift from them.
 */
import type { Database } from "../database/Database.ts"
import { record, type Fields, type FieldsOf } from "../http/validate.ts"

export type Method = "GET" | "POST" | "PATCH" | "DELETE"

/** What a request brings, before validation. */
export interface EndpointRequest {
  readonly database: Database
  /** The signed-in person's id; throws 401 when nobody is signed in. */
  readonly me: () => string
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  readonly body: unknown
}

export interface EndpointAnswer {
  readonly status: number
  readonly body: unknown
}

/** A declared endpoint, types erased. */
export interface Endpoint {
  readonly method: Method
  /** Below `/api/server`, with `:name` for parameters. */
  readonly path: string
  readonly what: string
  readonly query: Fields
  readonly body: Fields
  readonly handle: (request: EndpointRequest) => Promise<EndpointAnswer>
}

interface Spec<Params extends Fields, Query extends Fields, Body extends Fields> {
  readonly method: Method
  readonly path: string
  readonly what: string
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body
  readonly run: (
    input: {
      readonly params: FieldsOf<Params>
      readonly query: FieldsOf<Query>
      readonly body: FieldsOf<Body>
    } & Pick<EndpointRequest, "database" | "me">,
  ) => Promise<EndpointAnswer>
}

/**
 * Declares an endpoint. Path, query and body are validated before `run` sees them.
 *
 * Gotcha: name an `optional(…)` field in a constant first. Called inside the literal, it makes the compiler settle on the
 * default `{}` for the whole record before it has looked at it.
 */
export const endpoint = <
  const Params extends Fields = {},
  const Query extends Fields = {},
  const Body extends Fields = {},
>(
  spec: Spec<Params, Query, Body>,
): Endpoint => {
  const query: Fields = spec.query ?? {}
  const body: Fields = spec.body ?? {}
  return {
    method: spec.method,
    path: spec.path,
    what: spec.what,
    query,
    body,
    handle: (request) =>
      spec.run({
        database: request.database,
        me: request.me,
        params: record(spec.params ?? {}, "The path")(request.params) as FieldsOf<Params>,
        query: record(query, "The query")(request.query) as FieldsOf<Query>,
        body: record(body)(request.body) as FieldsOf<Body>,
      }),
  }
}

/** 200 with a body. */
export const ok = (body: unknown): EndpointAnswer => ({ status: 200, body })

/** 201 with the row that was made. */
export const created = (body: unknown): EndpointAnswer => ({ status: 201, body })
