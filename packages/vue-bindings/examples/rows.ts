/** Rows of a node in a component, from the simplest call to all options. */
import { computed, defineComponent, h, ref } from "vue"
import { eq } from "drizzle-orm"
import { pgTable, QueryBuilder, text, uuid } from "drizzle-orm/pg-core"
import { sql, SyncBoundary } from "@espalier/vue"
import { useLease, useLiveQuery, useRows } from "./setup.ts"

// #region list
export const FolderList = defineComponent({
  props: { companyId: { type: String, required: true } },
  setup(props) {
    const { rows, pending, error, isEmpty } = useRows("folders", {
      bindings: { company_id: () => props.companyId },
      where: { archived_at: null },
      orderBy: [["position", "desc"], "name"],
      limit: 100,
    })
    return () => {
      if (error.value !== null) return h("p", { role: "alert" }, error.value.message)
      if (isEmpty.value) return h("p", "No folders yet.")
      if (rows.value.length === 0) return h("p", { "aria-busy": "true" }, "Loading…")
      const items = rows.value.map((folder) => h("li", { key: folder.id }, folder.name))
      return h("ul", { "aria-busy": pending.value }, items)
    }
  },
})
// #endregion

// #region await
/** Awaited: the nearest `<Suspense>` or `<SyncBoundary>` waits until there is an answer. */
export const AwaitedList = defineComponent({
  async setup() {
    const { rows } = await useRows("companies", { orderBy: "name" })
    return () => rows.value.map((company) => h("p", { key: company.id }, company.name))
  },
})
// #endregion

// #region boundary
export const BoundedList = defineComponent(() => {
  const companies = useRows("companies", { orderBy: "name" })
  return () =>
    h(
      SyncBoundary<{ id: string; name: string }>,
      { of: companies },
      {
        default: ({ rows }: { rows: ReadonlyArray<{ id: string; name: string }> }) =>
          rows.map((row) => h("p", row.name)),
        pending: () => h("p", "Loading…"),
        empty: () => h("p", "No companies yet."),
        error: ({ error, retry }: { error: Error; retry: () => void }) =>
          h("button", { onClick: retry }, `${error.message} Try again.`),
      },
    )
})
// #endregion

export const useSearch = () => {
  // #region query
  const term = ref("")
  const found = useLiveQuery(
    sql<{ id: string; name: string; workspace: string }>`
      select f.id, f.name, w.name as workspace
      from folders f join workspaces w on w.id = f.workspace_id
      where f.name ilike ${computed(() => `%${term.value}%`)}
      order by f.name limit 20`,
    { key: "id" },
  )
  // #endregion
  return { term, found }
}

// #region drizzle
const folders = pgTable("folders", {
  id: uuid().primaryKey(),
  workspaceId: uuid("workspace_id"),
  name: text().notNull(),
})
const db = new QueryBuilder()

export const useFolderNames = (workspaceId: string) =>
  useLiveQuery(
    db
      .select({ id: folders.id, title: folders.name })
      .from(folders)
      .where(eq(folders.workspaceId, workspaceId)),
    { key: "id" },
  )
// #endregion

export const usePrefetch = () => {
  // #region lease
  const hovered = ref<string>()
  useLease("folders", { company_id: hovered }) // leases nothing while `hovered` is undefined
  // #endregion
  return hovered
}
