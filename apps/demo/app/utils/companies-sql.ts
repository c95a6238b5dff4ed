/**
 * The overview's query, apart from the page so that it is tested on a real Postgres. Two instances write into
 * `company_members` (the person's own memberships, and each company's members) and advance independently: after a
 * membership was revoked and granted again, both the old row and the new one are here for a moment. So people are
 * counted, not rows, and the newest row says the role.
 */
import { sql, type SqlTemplate } from "@espalier/vue"

export interface CompanyRow {
  readonly id: string
  readonly name: string
  readonly slug: string
  readonly role: string | null
  /** People whose membership is here; all of them once the company's members have arrived. */
  readonly members: number
  readonly workspaces: number
  readonly folders: number
  /** Up to five colleagues, by name. */
  readonly faces: ReadonlyArray<{ readonly id: string; readonly name: string }>
}

/** Companies with the person's role and with what this device holds of each. */
export const companiesSql = (userId: string): SqlTemplate<CompanyRow> => sql<CompanyRow>`
  select c.id::text, c.name, c.slug,
         (select m.role from company_members m where m.company_id = c.id and m.user_id = ${userId}
           order by m.updated_at desc limit 1) as role,
         (select count(distinct m.user_id)::int from company_members m where m.company_id = c.id) as members,
         (select count(*)::int from workspaces w where w.company_id = c.id) as workspaces,
         (select count(*)::int from folders f join workspaces w on w.id = f.workspace_id
           where w.company_id = c.id) as folders,
         coalesce((select jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) order by p.name)
           from (select p.id, p.name from people p
                  where p.id in (select m.user_id from company_members m where m.company_id = c.id)
                  order by p.name limit 5) p), '[]') as faces
    from companies c order by lower(c.name), c.id`
