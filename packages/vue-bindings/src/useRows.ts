/**
 * The rows of a node, live and typed by the graph: reads the node's local table, re-reads when a commit
 * touches a table it depends on, and hands Vue the same row objects for rows that did not change. While it
 * lives it leases what it shows, so that `onDemand` nodes run and visible rows go first.
 */
import { computed, toValue, type MaybeRefOrGetter } from "vue"
import type { NodeIdOf } from "@espalier/engine/graph"
import { injectEspalier, type NameOption } from "./injection.ts"
import { resolveBindings, resolveWhere } from "./internal/bindings.ts"
import { followLease } from "./internal/followLease.ts"
import type { AwaitableRows } from "./internal/awaitable.ts"
import { liveRows } from "./internal/liveRows.ts"
import { rowsQuery, type Direction } from "./internal/rowsQuery.ts"
import { supplyOfNode } from "./internal/supply.ts"
import type { AnyGraph, BindingsOf, ColumnOf, RegisteredGraph, RowOf } from "./types.ts"

/** A column, or columns each with an optional direction. Equal rows are ordered by primary key. */
export type RowsOrder<Column extends string> = Column | ReadonlyArray<Column | readonly [Column, Direction]>

/** Equality filters on a node's own columns; `null` means "is null", `undefined` "not known yet". */
export type RowsWhere<Row> = { readonly [Column in keyof Row]?: MaybeRefOrGetter<Row[Column] | undefined> }

/** Options of `useRows`; each may be a value, a ref or a getter, and so may the values inside. */
export interface RowsOptions<G extends AnyGraph, Id extends NodeIdOf<G>> extends NameOption {
  /** Which instances: e.g. `{ company_id }`. Left out: all of the node. */
  readonly bindings?: MaybeRefOrGetter<BindingsOf<G, Id> | undefined>
  readonly where?: MaybeRefOrGetter<RowsWhere<RowOf<G, Id>> | undefined>
  /** Default: the primary key. */
  readonly orderBy?: MaybeRefOrGetter<RowsOrder<ColumnOf<G, Id>> | undefined>
  readonly limit?: MaybeRefOrGetter<number | undefined>
  /** Demand these instances while this lives. Default true; false reads what happens to be here. */
  readonly lease?: MaybeRefOrGetter<boolean>
}

export interface UseRows<G extends AnyGraph> {
  /**
   * Live rows of a node. While a binding or filter value is `undefined` nothing is read and the result is
   * pending. May be awaited in an async setup, for `<Suspense>`: `const { rows } = await useRows("companies")`.
   * @throws EspalierMissing without the plugin
   */
  <Id extends NodeIdOf<G>>(node: Id, options?: RowsOptions<G, Id>): AwaitableRows<RowOf<G, Id>>
}

export const useRows: UseRows<RegisteredGraph> = <Id extends NodeIdOf<RegisteredGraph>>(
  node: Id,
  options: RowsOptions<RegisteredGraph, Id> = {},
): AwaitableRows<RowOf<RegisteredGraph, Id>> => {
  const espalier = injectEspalier("useRows()", options)
  const bindings = computed(() => resolveBindings(options.bindings))
  followLease(espalier.client, () =>
    bindings.value === null || toValue(options.lease) === false ? null : { node, bindings: bindings.value },
  )
  return liveRows<RowOf<RegisteredGraph, Id>>({
    espalier,
    ask: (client) => {
      const where = resolveWhere(options.where)
      if (bindings.value === null || where === null) return null
      const orderBy = toValue(options.orderBy)
      const limit = toValue(options.limit)
      // Read to be tracked: a node's filter may name a parameter, and `setParams` moves it. The values are the client's own,
      // because right after an exchange of clients this ref may still hold the former one's.
      toValue(espalier.params)
      return rowsQuery(
        espalier.graph,
        { node, bindings: bindings.value, where, orderBy, limit },
        client.params,
      )
    },
    supply: () => supplyOfNode(espalier.graph, espalier.status.value, node, bindings.value ?? {}),
    size: () => espalier.status.value?.nodes[node]?.rows ?? 0,
  })
}
