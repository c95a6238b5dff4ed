/**
 * Types the composables by a graph, for apps that do not want a global registration or have several graphs.
 * Adds nothing at run time but the name.
 */
import { injectEspalier, type Espalier, type NameOption } from "./injection.ts"
import type { AnyGraph, RegisteredGraph } from "./types.ts"
import { useCredentials } from "./useCredentials.ts"
import { useExplain } from "./useExplain.ts"
import { useInstance } from "./useInstance.ts"
import { useJournal } from "./useJournal.ts"
import { useLease, type UseLease } from "./useLease.ts"
import { useLiveQuery, type UseLiveQuery } from "./useLiveQuery.ts"
import { useNode, type UseNode } from "./useNode.ts"
import { useParams } from "./useParams.ts"
import { useRows, type UseRows } from "./useRows.ts"
import { useStorage } from "./useStorage.ts"
import { useSyncStatus } from "./useSyncStatus.ts"

/** All composables, typed by one graph. */
export interface EspalierComposables<G extends AnyGraph> {
  readonly useEspalier: () => Espalier<G>
  readonly useRows: UseRows<G>
  readonly useLiveQuery: UseLiveQuery<G>
  readonly useNode: UseNode<G>
  readonly useLease: UseLease<G>
  readonly useInstance: typeof useInstance
  readonly useSyncStatus: typeof useSyncStatus
  readonly useExplain: typeof useExplain
  readonly useJournal: typeof useJournal
  readonly useStorage: typeof useStorage
  readonly useCredentials: typeof useCredentials
  readonly useParams: typeof useParams
}

/**
 * The composables of one graph: `export const { useRows, useNode } = defineEspalier<typeof graph>()`. For a
 * named graph: `defineEspalier<typeof archive>({ name: "archive" })`.
 */
export const defineEspalier = <G extends AnyGraph>(named: NameOption = {}): EspalierComposables<G> => {
  const composables: Omit<EspalierComposables<RegisteredGraph>, "useEspalier"> &
    Pick<EspalierComposables<AnyGraph>, "useEspalier"> = {
    useEspalier: () => injectEspalier("useEspalier()", named),
    useRows: (node, options) => useRows(node, { ...named, ...options }),
    useLiveQuery: (query, options) => useLiveQuery(query, { ...named, ...options }),
    useNode: (node, options) => useNode(node, { ...named, ...options }),
    useLease: (node, bindings, options) => useLease(node, bindings, { ...named, ...options }),
    useInstance: (key, options) => useInstance(key, { ...named, ...options }),
    useSyncStatus: (options) => useSyncStatus({ ...named, ...options }),
    useExplain: (key, options) => useExplain(key, { ...named, ...options }),
    useJournal: (options) => useJournal({ ...named, ...options }),
    useStorage: (options) => useStorage({ ...named, ...options }),
    useCredentials: (source, options) => useCredentials(source, { ...named, ...options }),
    useParams: (options) => useParams({ ...named, ...options }),
  }
  // The graph's types exist at compile time only; what narrows here is names, checked again at run time
  // against the graph.
  return composables as unknown as EspalierComposables<G>
}
