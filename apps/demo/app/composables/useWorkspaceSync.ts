/** The workspaces of one company and how many folders each has (nodes `workspaces`, `folders`), live. */
import { sql, useLease, useLiveQuery, useRows } from "@espalier/vue"
import type { MaybeRefOrGetter } from "vue"

export interface Workspace {
  readonly id: string
  readonly name: string
  readonly description: string | null
  readonly folders: number
}

export const useWorkspaceSync = (companyId: MaybeRefOrGetter<string>) => {
  const supply = useRows("workspaces", { bindings: { company_id: () => toValue(companyId) } })
  useLease("folders", { company_id: () => toValue(companyId) })
  const workspaces = useLiveQuery<Workspace>(
    () => sql<Workspace>`
      select w.id::text, w.name, w.description,
             (select count(*)::int from folders f where f.workspace_id = w.id) as folders
        from workspaces w where w.company_id = ${toValue(companyId)} order by lower(w.name), w.id`,
    { key: "id" },
  )
  return {
    workspaces: workspaces.rows,
    pending: computed(() => workspaces.rows.value.length === 0 && supply.pending.value),
    isEmpty: computed(() => workspaces.rows.value.length === 0 && supply.isEmpty.value),
    error: computed(() => workspaces.error.value ?? supply.error.value),
    workspacesSync: useNodeSync("workspaces", companyId),
    foldersSync: useNodeSync("folders", companyId),
  }
}
