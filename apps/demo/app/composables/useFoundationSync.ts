/**
 * The whole tree at once: state of every node, of the graph, and of what holds it up. The engine orchestrates; there is nothing to start
 * here, in which order or how often. A layout uses this to say how fresh the page is.
 */
import { useEspalier, useSyncStatus } from "@espalier/vue"
import { graph } from "../../shared/graph"
import { errorOfInstances, oldestUpToDate } from "../utils/instance-state"

export const useFoundationSync = () => {
  const espalier = useEspalier()
  const { state, status, phase, ready, isOffline, pauseReasons } = useSyncStatus()
  const desired = computed(() => Object.values(status.value?.instances ?? {}).filter((one) => one.desired))
  return {
    state,
    phase,
    ready,
    isOffline,
    /** Every node of the graph in declaration order. */
    nodes: computed(() =>
      Object.values(graph.nodes).map((node) => {
        const known = status.value?.nodes[node.id]
        return {
          node: node.id,
          table: node.table,
          // Before the engine has spoken nothing is known, which is not "nobody asks".
          state: known?.state ?? (ready.value ? ("idle" as const) : ("loading" as const)),
          instances: known?.instances ?? 0,
          rows: known?.rows ?? 0,
        }
      }),
    ),
    /** The server stopped accepting who is signed in. */
    isRefused: computed(
      () =>
        pauseReasons.value.includes("auth") ||
        desired.value.some((one) => one.error?.reason === "Unauthorised"),
    ),
    /** The first error of an instance that is wanted. */
    error: computed(() => errorOfInstances(desired.value)),
    /** Since when, at the latest, rows may differ from the server's; null when something was never synced. */
    upToDateAt: computed(() => oldestUpToDate(desired.value)),
    /** Ends every backoff and halt now. */
    retry: async (): Promise<void> => {
      const client = espalier.client.value
      if (client !== null) await Promise.all(desired.value.map(({ key }) => client.call("retry", key)))
    },
  }
}
