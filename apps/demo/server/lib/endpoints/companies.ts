/** Endpoints that read and write companies on the server. */
import { documents, documentsOf } from "../database/Database.ts"
import { notFound } from "../http/HttpProblem.ts"
import { optional, text, uuid } from "../http/validate.ts"
import { created, endpoint, ok, type Endpoint } from "./Endpoint.ts"
import { companyDetailSql } from "./detailSql.ts"

/** `Harbor & Pine` → `harbor-pine`; `company` when no letter or digit is left. */
export const slugOf = (name: string): string => {
  const slug = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "")
  return slug === "" ? "company" : slug
}

const name = text(120)
const optionalUuid = optional(uuid)

export const companyEndpoints: ReadonlyArray<Endpoint> = [
  endpoint({
    method: "GET",
    path: "/companies",
    what: "Every company on the server, also those you do not belong to, with the ids of its members.",
    run: async ({ database }) => {
      const rows = await documents(
        database,
        `select jsonb_build_object('id', c.id, 'name', c.name, 'slug', c.slug, 'memberIds',
                  coalesce(jsonb_agg(m.user_id order by m.user_id) filter (where m.id is not null), '[]')) as doc
           from companies c left join company_members m on m.company_id = c.id
          group by c.id order by c.name, c.id`,
      )
      return ok({ companies: rows })
    },
  }),
  endpoint({
    method: "GET",
    path: "/companies/:companyId",
    what: "One company as the server holds it: members, groups, workspaces and the newest folders of each.",
    params: { companyId: uuid },
    run: async ({ database, params }) => {
      const [row] = await documents(database, companyDetailSql, [params.companyId])
      if (row === undefined) throw notFound("company", params.companyId)
      return ok(row)
    },
  }),
  endpoint({
    method: "POST",
    path: "/companies",
    what: "Adds a company. Its owner (you, unless ownerId is given) becomes its first member.",
    body: { name, ownerId: optionalUuid },
    run: async ({ database, body, me }) => {
      const ownerId = body.ownerId ?? me()
      const [rows] = await database.transaction([
        {
          sql: `with made as (
                  insert into companies (name, slug, owner_id)
                  select $1::text,
                         case when exists (select 1 from companies where slug = $2::text)
                              then $2::text || '-' || left(gen_random_uuid()::text, 8) else $2::text end,
                         u.id
                    from users u where u.id = $3::uuid
                  returning *
                ), joined as (
                  insert into company_members (company_id, user_id, role)
                  select id, owner_id, 'owner' from made
                )
                select to_jsonb(made) as doc from made`,
          params: [body.name, slugOf(body.name), ownerId],
        },
      ])
      const [row] = documentsOf(rows)
      if (row === undefined) throw notFound("person", ownerId)
      return created(row)
    },
  }),
  endpoint({
    method: "PATCH",
    path: "/companies/:companyId",
    what: "Renames a company.",
    params: { companyId: uuid },
    body: { name },
    run: async ({ database, params, body }) => {
      const [row] = await documents(
        database,
        `update companies set name = $2::text, updated_at = now() where id = $1::uuid
         returning to_jsonb(companies) as doc`,
        [params.companyId, body.name],
      )
      if (row === undefined) throw notFound("company", params.companyId)
      return ok(row)
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/companies/:companyId",
    what: "Removes a company with everything that belongs to it.",
    params: { companyId: uuid },
    run: async ({ database, params }) => {
      const [row] = await documents(
        database,
        "delete from companies where id = $1::uuid returning to_jsonb(companies) as doc",
        [params.companyId],
      )
      if (row === undefined) throw notFound("company", params.companyId)
      return ok(row)
    },
  }),
]
