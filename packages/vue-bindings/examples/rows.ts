/** Rows of a node in a component, from the simplest call to all options. */
import { computed, defineComponent, h, ref } from "vue"
import { sql } from "@espalier/vue"
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

export const usePrefetch = () => {
  // #region lease
  const hovered = ref<string>()
  useLease("folders", { company_id: hovered }) // leases nothing while `hovered` is undefined
  // #endregion
  return hovered
}
