/**
 * The companies the signed-in person belongs to (nodes `memberships` and `companies`), live, each with the person's role and with
 * what this device holds of it.
 */
import { sql, useLiveQuery, useRows } from "@espalier/vue"

export interface CompanySummary {
  readonly id: string
  readonly name: string
  readonly slug: string
  readonly role: string | null
  readonly members: number
  readonly workspaces: number
  readonly folders: number
  /** Up to five colleagues, by name. */
  readonly faces: ReadonlyArray<{ readonly id: string; readonly name: string }>
}

export const useCompaniesSync = () => {
  const userId = useUserId()
  const supply = useRows("companies")
  const memberships = useRows("memberships")
  const companies = useLiveQuery<CompanySummary>(
    // For a moment after a membership was revoked and granted again both rows are here: the old one from the company's members,
    // the new one from the person's memberships. Local tables have no unique constraints but the primary key.
    () => sql<CompanySummary>`
      select c.id::text, c.name, c.slug,
             (select m.role from company_members m where m.company_id = c.id and m.user_id = ${userId}
               order by m.updated_at desc limit 1) as role,
             (select count(*)::int from company_members m where m.company_id = c.id) as members,
             (select count(*)::int from workspaces w where w.company_id = c.id) as workspaces,
             (select count(*)::int from folders f join workspaces w on w.id = f.workspace_id
               where w.company_id = c.id) as folders,
             coalesce((select jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) order by p.name)
               from (select p.id, p.name from company_members m join people p on p.id = m.user_id
                      where m.company_id = c.id order by p.name limit 5) p), '[]') as faces
        from companies c order by lower(c.name), c.id`,
    { key: "id" },
  )
  return {
    companies: companies.rows,
    // Whether "none" is a fact is decided by the companies and the memberships alone, not by what the counts are made of.
    pending: computed(
      () => companies.rows.value.length === 0 && (supply.pending.value || memberships.pending.value),
    ),
    isEmpty: computed(
      () => companies.rows.value.length === 0 && supply.isEmpty.value && memberships.isEmpty.value,
    ),
    error: computed(() => companies.error.value ?? memberships.error.value ?? supply.error.value),
    sync: useNodeSync("companies"),
    membershipsSync: useNodeSync("memberships"),
  }
}
