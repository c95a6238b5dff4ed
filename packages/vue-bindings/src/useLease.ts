/**
 * Asks for instances of a node while a component (or any effect scope) lives. `useRows` does this by itself;
 * this is for routes and prefetching, where rows are wanted locally but not shown yet.
 */
import { toValue, type MaybeRefOrGetter, type ShallowRef } from "vue"
import type { NodeIdOf } from "@espalier/engine/graph"
import { injectEspalier, type NameOption } from "./injection.ts"
import { resolveBindings } from "./internal/bindings.ts"
import { followLease } from "./internal/followLease.ts"
import type { AnyGraph, BindingsOf, RegisteredGraph } from "./types.ts"

export interface LeaseOptions extends NameOption {
  /** Holds the lease only while true. Default true. */
  readonly when?: MaybeRefOrGetter<boolean>
}

export interface LeaseState {
  /** True while the lease is held. */
  readonly held: Readonly<ShallowRef<boolean>>
}

export interface UseLease<G extends AnyGraph> {
  /**
   * Leases a node; released with the effect scope. While a binding is `undefined` nothing is leased.
   * @throws EspalierMissing without the plugin
   */
  <Id extends NodeIdOf<G>>(
    node: MaybeRefOrGetter<Id>,
    bindings?: MaybeRefOrGetter<BindingsOf<G, Id>>,
    options?: LeaseOptions,
  ): LeaseState
}

export const useLease: UseLease<RegisteredGraph> = (node, bindings, options) => {
  const espalier = injectEspalier("useLease()", options)
  const held = followLease(espalier.client, () => {
    const resolved = resolveBindings(bindings)
    if (resolved === null || toValue(options?.when) === false) return null
    return { node: toValue(node), bindings: resolved }
  })
  return { held }
}
