/** Endpoints for workspaces and their folders, the one that moves a folder and the one that inserts a thousand among them. */
import { documents, documentsOf } from "../database/Database.ts"
import { HttpProblem, notFound } from "../http/HttpProblem.ts"
import { integer, optional, text, uuid } from "../http/validate.ts"
import { created, endpoint, ok, type Endpoint } from "./Endpoint.ts"

const name = text(120)
const optionalName = optional(name)
const optionalDescription = optional(text(400))
const optionalPosition = optional(integer(0, 1_000_000_000))
const optionalUuid = optional(uuid)
/** Most folders one request inserts. */
const maxBulk = 10_000
const optionalCount = optional(integer(1, maxBulk))

export const workspaceEndpoints: ReadonlyArray<Endpoint> = [
  endpoint({
    method: "POST",
    path: "/companies/:companyId/workspaces",
    what: "Adds a workspace to a company.",
    params: { companyId: uuid },
    body: { name, description: optionalDescription },
    run: async ({ database, params, body }) => {
      const [row] = await documents(
        database,
        `insert into workspaces (company_id, name, description)
         select c.id, $2::text, $3::text from companies c where c.id = $1::uuid
         returning to_jsonb(workspaces) as doc`,
        [params.companyId, body.name, body.description ?? null],
      )
      if (row === undefined) throw notFound("company", params.companyId)
      return created(row)
    },
  }),
  endpoint({
    method: "PATCH",
    path: "/workspaces/:workspaceId",
    what: "Renames a workspace.",
    params: { workspaceId: uuid },
    body: { name, description: optionalDescription },
    run: async ({ database, params, body }) => {
      const [row] = await documents(
        database,
        `update workspaces set name = $2::text, description = coalesce($3::text, description), updated_at = now()
          where id = $1::uuid returning to_jsonb(workspaces) as doc`,
        [params.workspaceId, body.name, body.description ?? null],
      )
      if (row === undefined) throw notFound("workspace", params.workspaceId)
      return ok(row)
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/workspaces/:workspaceId",
    what: "Removes a workspace with its folders.",
    params: { workspaceId: uuid },
    run: async ({ database, params }) => {
      const [row] = await documents(
        database,
        "delete from workspaces where id = $1::uuid returning to_jsonb(workspaces) as doc",
        [params.workspaceId],
      )
      if (row === undefined) throw notFound("workspace", params.workspaceId)
      return ok(row)
    },
  }),
  endpoint({
    method: "POST",
    path: "/workspaces/:workspaceId/folders",
    what: "Adds a folder to a workspace, at its end unless a position is given.",
    params: { workspaceId: uuid },
    body: { name, position: optionalPosition },
    run: async ({ database, params, body }) => {
      const [row] = await documents(
        database,
        `insert into folders (workspace_id, name, position)
         select w.id, $2::text,
                coalesce($3::int, (select coalesce(max(position), -1) + 1 from folders where workspace_id = w.id))
           from workspaces w where w.id = $1::uuid
         returning to_jsonb(folders) as doc`,
        [params.workspaceId, body.name, body.position ?? null],
      )
      if (row === undefined) throw notFound("workspace", params.workspaceId)
      return created(row)
    },
  }),
  endpoint({
    method: "POST",
    path: "/workspaces/:workspaceId/folders/bulk",
    what: "Inserts many folders at once: 1,000 unless a count is given.",
    params: { workspaceId: uuid },
    body: { count: optionalCount },
    run: async ({ database, params, body }) => {
      const [workspace, inserted] = await database.transaction([
        { sql: "select 1 as found from workspaces where id = $1::uuid", params: [params.workspaceId] },
        {
          sql: `with made as (
                  insert into folders (workspace_id, name, position)
                  select w.id, 'Folder ' || lpad((w.base + n)::text, 4, '0'), w.base + n - 1
                    from (select id, (select coalesce(max(position), -1) + 1 from folders where workspace_id = workspaces.id)
                                     as base from workspaces where id = $1::uuid) w,
                         generate_series(1, $2::int) as n
                  returning 1)
                select to_jsonb(count(*)) as doc from made`,
          params: [params.workspaceId, body.count ?? 1_000],
        },
      ])
      if (workspace?.rows.length === 0) throw notFound("workspace", params.workspaceId)
      return created({ inserted: documentsOf(inserted)[0] })
    },
  }),
]

export const folderEndpoints: ReadonlyArray<Endpoint> = [
  endpoint({
    method: "PATCH",
    path: "/folders/:folderId",
    what: "Renames a folder, moves it to another workspace (workspaceId), or gives it a position.",
    params: { folderId: uuid },
    body: { name: optionalName, workspaceId: optionalUuid, position: optionalPosition },
    run: async ({ database, params, body }) => {
      if (body.name === undefined && body.workspaceId === undefined && body.position === undefined) {
        throw new HttpProblem("bad_request", "Give a name, a workspaceId or a position.", { field: "name" })
      }
      const target = body.workspaceId ?? null
      const [workspace, updated] = await database.transaction([
        {
          sql: "select 1 as found from workspaces where $1::uuid is null or id = $1::uuid",
          params: [target],
        },
        {
          sql: `update folders set name = coalesce($2::text, name), workspace_id = coalesce($3::uuid, workspace_id),
                       position = coalesce($4::int, position), updated_at = now()
                 where id = $1::uuid and ($3::uuid is null or exists (select 1 from workspaces where id = $3::uuid))
                returning to_jsonb(folders) as doc`,
          params: [params.folderId, body.name ?? null, target, body.position ?? null],
        },
      ])
      if (target !== null && workspace?.rows.length === 0) throw notFound("workspace", target)
      const [row] = documentsOf(updated)
      if (row === undefined) throw notFound("folder", params.folderId)
      return ok(row)
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/folders/:folderId",
    what: "Removes a folder.",
    params: { folderId: uuid },
    run: async ({ database, params }) => {
      const [row] = await documents(
        database,
        "delete from folders where id = $1::uuid returning to_jsonb(folders) as doc",
        [params.folderId],
      )
      if (row === undefined) throw notFound("folder", params.folderId)
      return ok(row)
    },
  }),
]
