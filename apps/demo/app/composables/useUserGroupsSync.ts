/** The groups of one company and who is in them (nodes `groups`, `groupMembers`), live. */
import { sql, useLease, useLiveQuery, useRows } from "@espalier/vue"
import type { MaybeRefOrGetter } from "vue"

export interface UserGroup {
  readonly id: string
  readonly name: string
  readonly members: ReadonlyArray<{
    readonly id: string
    readonly userId: string
    readonly name: string | null
  }>
}

export const useUserGroupsSync = (companyId: MaybeRefOrGetter<string>) => {
  const supply = useRows("groups", { bindings: { company_id: () => toValue(companyId) } })
  useLease("groupMembers", { company_id: () => toValue(companyId) })
  const groups = useLiveQuery<UserGroup>(
    () => sql<UserGroup>`
      select g.id::text, g.name,
             coalesce((select jsonb_agg(jsonb_build_object('id', m.id, 'userId', m.user_id, 'name', p.name)
                                        order by lower(p.name), m.id)
               from user_group_members m left join people p on p.id = m.user_id where m.group_id = g.id), '[]') as members
        from user_groups g where g.company_id = ${toValue(companyId)} order by lower(g.name), g.id`,
    { key: "id" },
  )
  return {
    groups: groups.rows,
    pending: computed(() => groups.rows.value.length === 0 && supply.pending.value),
    isEmpty: computed(() => groups.rows.value.length === 0 && supply.isEmpty.value),
    error: computed(() => groups.error.value ?? supply.error.value),
    groupsSync: useNodeSync("groups", companyId),
    groupMembersSync: useNodeSync("groupMembers", companyId),
  }
}
