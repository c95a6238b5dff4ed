/** What an app's own write route does: the rows of a browser are a copy, so nothing in a request is believed. Quoted by `docs/gateway.md`. */
import type { Caller } from "./gateway.ts"

/** Any database client will do; `$n` are parameters. */
export interface WriteDatabase {
  readonly query: (
    sql: string,
    params: ReadonlyArray<string>,
  ) => Promise<{ readonly rows: ReadonlyArray<unknown> }>
}

const problem = (status: number, message: string): Response => Response.json({ message }, { status })

const nameOf = async (request: Request): Promise<string | null> => {
  const body: unknown = await request.json().catch(() => null)
  const name = typeof body === "object" && body !== null && "name" in body ? body.name : null
  return typeof name === "string" && name.trim() !== "" && name.length <= 120 ? name.trim() : null
}

// #region write
/** `PATCH /api/workspaces/:id { name }` */
export const renameWorkspace = async (
  request: Request,
  id: string,
  options: {
    readonly identify: (request: Request) => Promise<Caller | null>
    readonly database: WriteDatabase
  },
): Promise<Response> => {
  // The same function that the gateway asks: one idea of who calls.
  const caller = await options.identify(request)
  if (caller === null) return problem(401, "sign in")
  const name = await nameOf(request)
  if (name === null) return problem(400, "name must be text of 1 to 120 characters")
  // The right is part of the statement: between a check before it and the write, the membership could go.
  const { rows } = await options.database.query(
    `update workspaces set name = $2
      where id = $1 and company_id in (select company_id from company_members where user_id = $3)
      returning id`,
    [id, name, caller.params.userId],
  )
  return rows.length === 0 ? problem(404, "no such workspace") : new Response(null, { status: 204 })
}
// #endregion
