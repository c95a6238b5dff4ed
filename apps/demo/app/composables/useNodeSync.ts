/**
 * The state of a node's instances as a page shows it, narrowed to one company where asked. The base of the sync
 * composables below; pages rarely need it themselves.
 */
import { useEspalier, useNode, useSyncStatus } from "@espalier/vue"
import type { NodeIdOf } from "@espalier/engine/graph"
import type { Rollup, StatusError } from "@espalier/engine/protocol"
import type { ComputedRef, MaybeRefOrGetter } from "vue"
import type { graph } from "../../shared/graph"
import { errorOfInstances, oldestUpToDate, stateOfInstances } from "../utils/instance-state"

export type NodeId = NodeIdOf<typeof graph>

export interface NodeSync {
  readonly node: NodeId
  readonly state: ComputedRef<Rollup>
  readonly error: ComputedRef<StatusError | null>
  /** Epoch milliseconds of the oldest up-to-date among the instances shown. */
  readonly upToDateAt: ComputedRef<number | null>
  /** Ends a backoff or halt of each instance now. */
  readonly retry: () => Promise<void>
}

/** The binding that narrows each company node to one company. `null`: the node has one instance per session. */
const companyBinding: Readonly<Record<NodeId, "id" | "company_id" | null>> = {
  user: null,
  memberships: null,
  companies: "id",
  members: "company_id",
  people: "company_id",
  groups: "company_id",
  groupMembers: "company_id",
  workspaces: "company_id",
  folders: "company_id",
}

/** State of one node: all its instances, or those of one company. */
export const useNodeSync = (node: NodeId, companyId?: MaybeRefOrGetter<string>): NodeSync => {
  const espalier = useEspalier()
  const { instances: all } = useNode(node)
  const { isOffline } = useSyncStatus()
  const instances = computed(() => {
    const binding = companyBinding[node]
    const wanted = toValue(companyId)
    if (binding === null || wanted === undefined) return all.value.filter((one) => one.desired)
    return all.value.filter((one) => one.bindings[binding] === wanted)
  })
  return {
    node,
    state: computed(() => {
      const isUnwanted = instances.value.length === 0 && toValue(companyId) === undefined
      const state = isUnwanted ? "idle" : stateOfInstances(instances.value)
      // What waits for a server nobody reaches is offline, whatever it would be doing otherwise.
      return isOffline.value && (state === "loading" || state === "stale") ? "offline" : state
    }),
    error: computed(() => errorOfInstances(instances.value)),
    upToDateAt: computed(() => oldestUpToDate(instances.value)),
    retry: async () => {
      const client = espalier.client.value
      if (client !== null) await Promise.all(instances.value.map(({ key }) => client.call("retry", key)))
    },
  }
}
