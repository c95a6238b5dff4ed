/**
 * Feeds Vue DevTools from the engine: answers the inspector's questions, and passes on new lines of the journal at a bounded pace. Ends
 * with the effect scope it is called in. Knows DevTools only by the few methods it uses.
 */
import { onScopeDispose, watch } from "vue"
import type { EngineStatus, JournalEntry } from "@espalier/engine/protocol"
import type { Espalier } from "../injection.ts"
import { useSampled } from "../panel/sampled.ts"
import {
  inspectorState,
  inspectorTree,
  timelineEntry,
  type StateEntry,
  type TimelineEntry,
  type TreeNode,
} from "./describe.ts"

/** DevTools is told at most this often. */
export const devtoolsPaceMillis = 500

interface TreeQuestion {
  readonly inspectorId: string
  readonly filter: string
  rootNodes: Array<TreeNode>
}

interface StateQuestion {
  readonly inspectorId: string
  readonly nodeId: string
  state: Record<string, Array<StateEntry>>
}

interface InspectorAction {
  readonly icon: string
  readonly tooltip: string
  readonly action: (nodeId: string) => void
}

/** What is used of DevTools' own interface. */
export interface DevtoolsApi {
  readonly on: {
    readonly getInspectorTree: (handler: (question: TreeQuestion) => void) => void
    readonly getInspectorState: (handler: (question: StateQuestion) => void) => void
  }
  readonly addInspector: (options: {
    id: string
    label: string
    icon: string
    treeFilterPlaceholder: string
    nodeActions: Array<InspectorAction>
  }) => void
  readonly addTimelineLayer: (options: { id: string; label: string; color: number }) => void
  readonly addTimelineEvent: (options: { layerId: string; event: TimelineEntry }) => void
  readonly sendInspectorTree: (id: string) => void
  readonly sendInspectorState: (id: string) => void
}

/** Passes on what the journal says that was not passed on yet. */
const useTimeline = (api: DevtoolsApi, layerId: string, espalier: Espalier): (() => void) => {
  let next = 0
  let busy = false
  let isOver = false
  onScopeDispose(() => (isOver = true))
  watch(espalier.client, () => (next = 0), { flush: "sync" })
  const pass = (journal: ReadonlyArray<JournalEntry>): void => {
    const last = journal.at(-1)?.seq ?? -1
    // A new leader counts from the beginning.
    if (last + 1 < next) next = 0
    for (const entry of journal) {
      if (entry.seq >= next) api.addTimelineEvent({ layerId, event: timelineEntry(entry) })
    }
    next = last + 1
  }
  return () => {
    const client = espalier.client.value
    if (client === null || busy) return
    busy = true
    client
      .call("journal")
      .then((journal) => {
        if (!isOver && client === espalier.client.value) pass(journal)
      })
      // No leader answers just now: the next status asks again.
      .catch(() => undefined)
      .finally(() => (busy = false))
  }
}

/** Connects one graph; `id` tells several apart. */
export const connectDevtools = (api: DevtoolsApi, id: string, espalier: Espalier): void => {
  const layerId = `${id}:journal`
  const status = useSampled<EngineStatus | null>(() => espalier.status.value, {
    pauseMillis: () => devtoolsPaceMillis,
  })
  const command = (name: "retry" | "refetch") => (nodeId: string) => {
    const [kind, ...key] = nodeId.split(":")
    // What came of it is in the journal; a host that does not answer is in the status.
    if (kind === "instance") espalier.client.value?.call(name, key.join(":")).catch(() => undefined)
  }
  api.addInspector({
    id,
    label: `Espalier ${espalier.graph.name}`,
    icon: "account_tree",
    treeFilterPlaceholder: "Filter instances",
    nodeActions: [
      { icon: "replay", tooltip: "Retry", action: command("retry") },
      { icon: "cloud_download", tooltip: "Refetch", action: command("refetch") },
    ],
  })
  api.addTimelineLayer({ id: layerId, label: `Espalier ${espalier.graph.name}`, color: 0x166b3c })
  api.on.getInspectorTree((question) => {
    if (question.inspectorId === id) {
      question.rootNodes = inspectorTree(espalier.graph, status.value, question.filter)
    }
  })
  api.on.getInspectorState((question) => {
    if (question.inspectorId === id) {
      question.state = inspectorState(espalier.graph, status.value, question.nodeId)
    }
  })
  const tell = useTimeline(api, layerId, espalier)
  watch(
    status,
    () => {
      api.sendInspectorTree(id)
      api.sendInspectorState(id)
      tell()
    },
    { immediate: true },
  )
}
