/**
 * Any SQL over the local tables, live: re-runs when a commit touches a table it reads. For what `useRows`
 * cannot say (joins, aggregates, search). Reading only: local tables belong to the engine.
 */
import { computed, toValue, type MaybeRefOrGetter } from "vue"
import { injectEspalier, type NameOption } from "./injection.ts"
import { liveRows, type LiveRows } from "./internal/liveRows.ts"
import type { RowsAsk } from "./internal/rowsQuery.ts"
import { supplyOfTables } from "./internal/supply.ts"
import { tablesIn } from "./internal/tables.ts"
import type { LiveSql } from "./sql.ts"
import type { AnyGraph, RegisteredGraph, TableOfGraph } from "./types.ts"

export interface LiveQueryOptions<G extends AnyGraph, Row> extends NameOption {
  /** Columns that identify a row of the result. Default: a row's whole content. */
  readonly key?: (keyof Row & string) | ReadonlyArray<keyof Row & string>
  /** Local tables the query depends on. Default: those of the graph named in the text. */
  readonly tables?: ReadonlyArray<TableOfGraph<G>>
}

export interface UseLiveQuery<G extends AnyGraph> {
  /**
   * Live result of local SQL: `` useLiveQuery(sql`select … where id = ${id}`) `` or `{ sql, params, tables?
   * }`, or a ref or getter of either. While it is null, or a parameter is `undefined`, nothing is read and
   * the result is pending.
   * @throws EspalierMissing without the plugin
   */
  <Row extends object = Record<string, unknown>>(
    query: MaybeRefOrGetter<LiveSql<Row> | null | undefined>,
    options?: LiveQueryOptions<G, Row>,
  ): LiveRows<Row>
}

export const useLiveQuery: UseLiveQuery<RegisteredGraph> = <Row extends object>(
  query: MaybeRefOrGetter<LiveSql<Row> | null | undefined>,
  options: LiveQueryOptions<RegisteredGraph, Row> = {},
): LiveRows<Row> => {
  const espalier = injectEspalier("useLiveQuery()", options)
  const key = options.key === undefined ? [] : typeof options.key === "string" ? [options.key] : options.key
  const ask = (): RowsAsk | null => {
    const given = toValue(query)
    if (given === null || given === undefined) return null
    const params = (given.params ?? []).map((param) => toValue(param))
    if (params.some((param) => param === undefined)) return null
    const tables = options.tables ?? given.tables ?? tablesIn(espalier.graph, given.sql)
    return { sql: given.sql, params, tables, key }
  }
  const dependsOn = computed(() => ask()?.tables ?? [])
  return liveRows<Row>({
    espalier,
    ask,
    supply: () => supplyOfTables(espalier.graph, espalier.status.value, dependsOn.value),
  })
}
