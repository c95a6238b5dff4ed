/**
 * Endpoints for members of a company, and for one's own membership: granting and revoking it is what makes a whole
 * subtree appear in or vanish from a browser. Leaving a company also leaves its groups, in the same transaction.
 */
import { documents, documentsOf, type Database, type Statement } from "../database/Database.ts"
import { HttpProblem, notFound } from "../http/HttpProblem.ts"
import { oneOf, optional, text, uuid } from "../http/validate.ts"
import { created, endpoint, ok, type Endpoint, type EndpointAnswer } from "./Endpoint.ts"

const optionalRole = optional(oneOf("owner", "admin", "member"))
const optionalUuid = optional(uuid)
const optionalName = optional(text(120))

/** Adds a person to a company. Adding twice keeps the first membership and answers 200. */
const addMember = async (
  database: Database,
  companyId: string,
  userId: string,
  as: string,
): Promise<EndpointAnswer> => {
  const [company, person, inserted, existing] = await database.transaction([
    { sql: "select 1 as found from companies where id = $1::uuid", params: [companyId] },
    { sql: "select 1 as found from users where id = $1::uuid", params: [userId] },
    {
      sql: `insert into company_members (company_id, user_id, role)
            select c.id, u.id, $3::text from companies c, users u where c.id = $1::uuid and u.id = $2::uuid
            on conflict (company_id, user_id) do nothing
            returning to_jsonb(company_members) as doc`,
      params: [companyId, userId, as],
    },
    {
      sql: `select to_jsonb(m) as doc from company_members m where m.company_id = $1::uuid and m.user_id = $2::uuid`,
      params: [companyId, userId],
    },
  ])
  if (company?.rows.length === 0) throw notFound("company", companyId)
  if (person?.rows.length === 0) throw notFound("person", userId)
  const [made] = documentsOf(inserted)
  return made === undefined ? ok(documentsOf(existing)[0]) : created(made)
}

/** Deletes memberships that match `where` (over alias m), and those persons' places in that company's groups. */
const removeMembers = (where: string, params: Statement["params"]): ReadonlyArray<Statement> => [
  {
    sql: `delete from user_group_members gm using company_members m, user_groups g
           where g.id = gm.group_id and g.company_id = m.company_id and gm.user_id = m.user_id and ${where}`,
    ...(params && { params }),
  },
  {
    sql: `delete from company_members m where ${where} returning to_jsonb(m) as doc`,
    ...(params && { params }),
  },
]

export const memberEndpoints: ReadonlyArray<Endpoint> = [
  endpoint({
    method: "POST",
    path: "/companies/:companyId/members",
    what: "Adds a person to a company. Answers 200 with the membership there was when they already belong.",
    params: { companyId: uuid },
    body: { userId: uuid, role: optionalRole },
    run: ({ database, params, body }) =>
      addMember(database, params.companyId, body.userId, body.role ?? "member"),
  }),
  endpoint({
    method: "PATCH",
    path: "/members/:memberId",
    what: "Changes a member's role, or renames the person (everywhere), or both.",
    params: { memberId: uuid },
    body: { name: optionalName, role: optionalRole },
    run: async ({ database, params, body }) => {
      if (body.name === undefined && body.role === undefined) {
        throw new HttpProblem("bad_request", "Give a name, a role, or both.", { field: "name" })
      }
      const results = await database.transaction([
        {
          sql: `update users u set name = $2::text, updated_at = now()
                  from company_members m where m.id = $1::uuid and u.id = m.user_id and $2::text is not null`,
          params: [params.memberId, body.name ?? null],
        },
        {
          sql: `update company_members set role = coalesce($2::text, role), updated_at = now() where id = $1::uuid
                returning to_jsonb(company_members) as doc`,
          params: [params.memberId, body.role ?? null],
        },
      ])
      const [row] = documentsOf(results[1])
      if (row === undefined) throw notFound("member", params.memberId)
      return ok(row)
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/members/:memberId",
    what: "Removes a member from a company and from its groups.",
    params: { memberId: uuid },
    run: async ({ database, params }) => {
      const results = await database.transaction(removeMembers("m.id = $1::uuid", [params.memberId]))
      const [row] = documentsOf(results.at(-1))
      if (row === undefined) throw notFound("member", params.memberId)
      return ok(row)
    },
  }),
  endpoint({
    method: "POST",
    path: "/memberships",
    what: "Grants a membership: yours, unless userId is given. Granting twice answers 200.",
    body: { companyId: uuid, userId: optionalUuid, role: optionalRole },
    run: ({ database, body, me }) =>
      addMember(database, body.companyId, body.userId ?? me(), body.role ?? "member"),
  }),
  endpoint({
    method: "DELETE",
    path: "/memberships/:companyId",
    what: "Revokes a membership: yours, unless ?userId= is given.",
    params: { companyId: uuid },
    query: { userId: optionalUuid },
    run: async ({ database, params, query, me }) => {
      const userId = query.userId ?? me()
      const results = await database.transaction(
        removeMembers("m.company_id = $1::uuid and m.user_id = $2::uuid", [params.companyId, userId]),
      )
      const [row] = documentsOf(results.at(-1))
      if (row === undefined) throw notFound("membership in company", params.companyId)
      return ok(row)
    },
  }),
]

/** Everybody on the server, for pickers and the sign-in page. */
export const listPeople = async (database: Database): Promise<unknown> =>
  documents(
    database,
    `select jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email, 'companies', coalesce((select jsonb_agg(c.name order by c.name)
                        from company_members m join companies c on c.id = m.company_id
                       where m.user_id = u.id), '[]')) as doc
       from users u where u.is_active order by u.created_at, u.id`,
  )
