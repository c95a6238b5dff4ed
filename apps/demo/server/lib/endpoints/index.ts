/**
 * All endpoints of `/api/server`, and finding the one a request means. Called by the catch-all route only; the listing and the
 * routing read the same array.
 */
import { HttpProblem } from "../http/HttpProblem.ts"
import { companyEndpoints } from "./companies.ts"
import type { Endpoint } from "./Endpoint.ts"
import { groupEndpoints } from "./groups.ts"
import { memberEndpoints } from "./members.ts"
import { truthEndpoints } from "./truth.ts"
import { folderEndpoints, workspaceEndpoints } from "./workspaces.ts"

export const endpoints: ReadonlyArray<Endpoint> = [
  ...truthEndpoints,
  ...companyEndpoints,
  ...memberEndpoints,
  ...groupEndpoints,
  ...workspaceEndpoints,
  ...folderEndpoints,
]

const describeFields = (fields: Endpoint["body"]): Readonly<Record<string, string>> | null =>
  Object.keys(fields).length === 0
    ? null
    : Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.expects]))

/** The JSON of `GET /api/server`. */
export const listing = () => ({
  endpoints: endpoints.map(({ method, path, query, body, what }) => ({
    method,
    path: `/api/server${path}`,
    query: describeFields(query),
    body: describeFields(body),
    what,
  })),
})

/** The parameters of a path that matches a pattern, or null. */
export const matchPath = (pattern: string, path: string): Readonly<Record<string, string>> | null => {
  const wanted = pattern.split("/").filter(Boolean)
  const given = path.split("/").filter(Boolean)
  if (wanted.length !== given.length) return null
  const params: Record<string, string> = {}
  for (const [at, part] of wanted.entries()) {
    const value = given[at] ?? ""
    if (part.startsWith(":")) params[part.slice(1)] = value
    else if (part !== value) return null
  }
  return params
}

/** The endpoint for a method and path. @throws HttpProblem 404, or 405 with `allow` when only the method is wrong. */
export const findEndpoint = (
  method: string,
  path: string,
): { readonly endpoint: Endpoint; readonly params: Readonly<Record<string, string>> } => {
  const allow: Array<string> = []
  for (const endpoint of endpoints) {
    const params = matchPath(endpoint.path, path)
    if (params === null) continue
    if (endpoint.method === method) return { endpoint, params }
    allow.push(endpoint.method)
  }
  if (allow.length > 0) {
    throw new HttpProblem(
      "method_not_allowed",
      `${method} is not possible here. Possible: ${allow.join(", ")}.`,
      { allow },
    )
  }
  throw new HttpProblem("not_found", "There is no such endpoint. GET /api/server lists them.")
}
