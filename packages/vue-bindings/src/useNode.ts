/**
 * The state of one node of the graph: its roll-up, and its instances, optionally narrowed by bindings. For
 * the rows of a node use `useRows`; this is about how they get here.
 */
import { computed, toValue, type ComputedRef, type MaybeRefOrGetter } from "vue"
import type { NodeIdOf } from "@espalier/engine/graph"
import type { InstanceStatus, NodeStatus, Rollup, StatusError } from "@espalier/engine/protocol"
import { injectEspalier, type NameOption } from "./injection.ts"
import { resolveBindings } from "./internal/bindings.ts"
import { equal } from "./internal/share.ts"
import type { AnyGraph, BindingsOf, RegisteredGraph } from "./types.ts"

export interface NodeOptions<G extends AnyGraph, Id extends NodeIdOf<G>> extends NameOption {
  /** Narrows `instances`. */
  readonly bindings?: MaybeRefOrGetter<BindingsOf<G, Id>>
}

export interface NodeState {
  /** Roll-up of the node over all its instances; `idle` while the engine says nothing of it. */
  readonly state: ComputedRef<Rollup>
  readonly status: ComputedRef<NodeStatus | null>
  readonly isLive: ComputedRef<boolean>
  /** Rows held locally, summed over instances; a row held by two counts twice. */
  readonly rows: ComputedRef<number>
  readonly error: ComputedRef<StatusError | null>
  /** The node's instances that match `bindings`. */
  readonly instances: ComputedRef<ReadonlyArray<InstanceStatus>>
}

export interface UseNode<G extends AnyGraph> {
  /** State of one node. @throws EspalierMissing without the plugin */
  <Id extends NodeIdOf<G>>(node: MaybeRefOrGetter<Id>, options?: NodeOptions<G, Id>): NodeState
}

const none: ReadonlyArray<InstanceStatus> = []

export const useNode: UseNode<RegisteredGraph> = (node, options) => {
  const espalier = injectEspalier("useNode()", options)
  const status = computed(() => espalier.status.value?.nodes[toValue(node)] ?? null)
  const state = computed(() => status.value?.state ?? "idle")
  const instances = computed<ReadonlyArray<InstanceStatus>>((previous) => {
    const id = toValue(node)
    const bindings = Object.entries(resolveBindings(options?.bindings) ?? {})
    const all = Object.values(espalier.status.value?.instances ?? {})
    const next = all.filter(
      (one) => one.node === id && bindings.every(([name, value]) => one.bindings[name] === value),
    )
    return equal(previous ?? none, next) ? (previous ?? none) : next
  })
  return {
    state,
    status,
    isLive: computed(() => state.value === "live"),
    rows: computed(() => status.value?.rows ?? 0),
    error: computed(() => status.value?.error ?? null),
    instances,
  }
}
