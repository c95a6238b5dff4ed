/** The signed-in person's own profile row (node `user`, key `user-{userId}`), live, and its sync state. */
import { useRows } from "@espalier/vue"

export const useUserSync = () => {
  const { rows, pending, error } = useRows("user")
  return { user: computed(() => rows.value[0] ?? null), pending, error, sync: useNodeSync("user") }
}
