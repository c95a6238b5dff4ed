/**
 * One company with its members and their names (nodes `companies`, `members`, `people`), live. Names come from `people`, the
 * narrow table of colleagues, never from `users`.
 */
import { sql, useLease, useLiveQuery, useRows } from "@espalier/vue"
import type { MaybeRefOrGetter } from "vue"

export interface Member {
  readonly id: string
  readonly userId: string
  readonly role: string
  /** Null until the colleague's own row has arrived. */
  readonly name: string | null
}

export const useCompanySync = (companyId: MaybeRefOrGetter<string>) => {
  const company = useRows("companies", { bindings: { id: () => toValue(companyId) } })
  const supply = useRows("members", { bindings: { company_id: () => toValue(companyId) } })
  // The names are part of the page, so they are as urgent as the members themselves.
  useLease("people", { company_id: () => toValue(companyId) })
  const members = useLiveQuery<Member>(
    () => sql<Member>`
      select m.id::text, m.user_id::text as "userId", m.role, p.name
        from company_members m left join people p on p.id = m.user_id
       where m.company_id = ${toValue(companyId)}
       order by case m.role when 'owner' then 0 when 'admin' then 1 else 2 end, lower(p.name), m.id`,
    { key: "id" },
  )
  return {
    company: computed(() => company.rows.value[0] ?? null),
    companyPending: company.pending,
    companyError: company.error,
    isMissing: company.isEmpty,
    members: members.rows,
    pending: computed(() => members.rows.value.length === 0 && supply.pending.value),
    isEmpty: computed(() => members.rows.value.length === 0 && supply.isEmpty.value),
    error: computed(() => members.error.value ?? supply.error.value),
    companySync: useNodeSync("companies", companyId),
    membersSync: useNodeSync("members", companyId),
    peopleSync: useNodeSync("people", companyId),
  }
}
