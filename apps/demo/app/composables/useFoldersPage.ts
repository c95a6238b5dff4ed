/**
 * One page of a workspace's folders, filtered as somebody types, by local SQL. Exists so that a workspace with thousands of
 * folders costs the page a few dozen elements: Postgres does the filtering, sorting and counting.
 */
import { sql, useLiveQuery } from "@espalier/vue"
import type { MaybeRefOrGetter } from "vue"
import { likePattern } from "../utils/format"

/** Folders per page. */
export const folderPageSize = 48

interface FolderRow {
  readonly id: string
  readonly name: string
  readonly updatedAt: string
}

export const useFoldersPage = (workspaceId: MaybeRefOrGetter<string>, search: MaybeRefOrGetter<string>) => {
  const page = ref(0)
  const pattern = computed(() => likePattern(toValue(search).trim()))
  const matches = useLiveQuery<{ readonly total: number }>(
    () => sql<{ readonly total: number }>`
      select count(*)::int as total from folders
       where workspace_id = ${toValue(workspaceId)} and name ilike ${pattern.value}`,
  )
  const total = computed(() => matches.rows.value[0]?.total ?? 0)
  const pages = computed(() => Math.max(1, Math.ceil(total.value / folderPageSize)))
  const current = computed(() => Math.min(page.value, pages.value - 1))
  watch(pattern, () => (page.value = 0))
  const folders = useLiveQuery<FolderRow>(
    () => sql<FolderRow>`
      select id::text, name, updated_at::text as "updatedAt" from folders
       where workspace_id = ${toValue(workspaceId)} and name ilike ${pattern.value}
       order by position, lower(name), id
       limit ${folderPageSize}::int offset ${current.value * folderPageSize}::int`,
    { key: "id" },
  )
  return {
    folders: folders.rows,
    error: folders.error,
    /** Nothing was read yet. */
    pending: computed(() => matches.rows.value.length === 0),
    total,
    pages,
    page: current,
    go: (to: number) => (page.value = Math.max(0, Math.min(to, pages.value - 1))),
  }
}
