/** Endpoints for groups of a company and who is in them. */
import { documents, documentsOf } from "../database/Database.ts"
import { HttpProblem, notFound } from "../http/HttpProblem.ts"
import { text, uuid } from "../http/validate.ts"
import { created, endpoint, ok, type Endpoint } from "./Endpoint.ts"

const name = text(120)

export const groupEndpoints: ReadonlyArray<Endpoint> = [
  endpoint({
    method: "POST",
    path: "/companies/:companyId/groups",
    what: "Adds a group to a company.",
    params: { companyId: uuid },
    body: { name },
    run: async ({ database, params, body }) => {
      const [row] = await documents(
        database,
        `insert into user_groups (company_id, name) select c.id, $2::text from companies c where c.id = $1::uuid
         returning to_jsonb(user_groups) as doc`,
        [params.companyId, body.name],
      )
      if (row === undefined) throw notFound("company", params.companyId)
      return created(row)
    },
  }),
  endpoint({
    method: "PATCH",
    path: "/groups/:groupId",
    what: "Renames a group.",
    params: { groupId: uuid },
    body: { name },
    run: async ({ database, params, body }) => {
      const [row] = await documents(
        database,
        `update user_groups set name = $2::text, updated_at = now() where id = $1::uuid
         returning to_jsonb(user_groups) as doc`,
        [params.groupId, body.name],
      )
      if (row === undefined) throw notFound("group", params.groupId)
      return ok(row)
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/groups/:groupId",
    what: "Removes a group.",
    params: { groupId: uuid },
    run: async ({ database, params }) => {
      const [row] = await documents(
        database,
        "delete from user_groups where id = $1::uuid returning to_jsonb(user_groups) as doc",
        [params.groupId],
      )
      if (row === undefined) throw notFound("group", params.groupId)
      return ok(row)
    },
  }),
  endpoint({
    method: "POST",
    path: "/groups/:groupId/members",
    what: "Puts a member of the company into a group. Adding twice answers 200.",
    params: { groupId: uuid },
    body: { userId: uuid },
    run: async ({ database, params, body }) => {
      const [group, person, inserted, existing] = await database.transaction([
        { sql: "select 1 as found from user_groups where id = $1::uuid", params: [params.groupId] },
        { sql: "select 1 as found from users where id = $1::uuid", params: [body.userId] },
        {
          sql: `insert into user_group_members (group_id, user_id)
                select g.id, m.user_id from user_groups g join company_members m on m.company_id = g.company_id
                 where g.id = $1::uuid and m.user_id = $2::uuid
                on conflict (group_id, user_id) do nothing
                returning to_jsonb(user_group_members) as doc`,
          params: [params.groupId, body.userId],
        },
        {
          sql: "select to_jsonb(m) as doc from user_group_members m where group_id = $1::uuid and user_id = $2::uuid",
          params: [params.groupId, body.userId],
        },
      ])
      if (group?.rows.length === 0) throw notFound("group", params.groupId)
      if (person?.rows.length === 0) throw notFound("person", body.userId)
      const [made] = documentsOf(inserted)
      if (made !== undefined) return created(made)
      const [row] = documentsOf(existing)
      if (row !== undefined) return ok(row)
      throw new HttpProblem("conflict", "Only members of the company can be in its groups.", {
        field: "userId",
      })
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/group-members/:groupMemberId",
    what: "Takes a person out of a group.",
    params: { groupMemberId: uuid },
    run: async ({ database, params }) => {
      const [row] = await documents(
        database,
        "delete from user_group_members where id = $1::uuid returning to_jsonb(user_group_members) as doc",
        [params.groupMemberId],
      )
      if (row === undefined) throw notFound("group member", params.groupMemberId)
      return ok(row)
    },
  }),
]
