/**
 * Any SQL over the local tables, live: re-runs when a commit touches a table it reads. For what `useRows`
 * cannot say (joins, aggregates, search). Reading only: local tables belong to the engine.
 */
import { computed, toValue, type MaybeRefOrGetter } from "vue"
import { injectEspalier, type NameOption } from "./injection.ts"
import type { AwaitableRows } from "./internal/awaitable.ts"
import { drizzleRead, isDrizzleQuery, type DrizzleQuery, type DrizzleRead } from "./internal/drizzle.ts"
import { liveRows } from "./internal/liveRows.ts"
import type { RowsAsk } from "./internal/rowsQuery.ts"
import { supplyOfTables } from "./internal/supply.ts"
import { tablesIn } from "./internal/tables.ts"
import type { LiveSql } from "./sql.ts"
import type { AnyGraph, RegisteredGraph, TableOfGraph } from "./types.ts"

/** What `useLiveQuery` takes: the template, `{ sql, params, tables? }`, or a select built with Drizzle. */
export type LiveQuery<Row> = LiveSql<Row> | DrizzleQuery<Row>

export interface LiveQueryOptions<G extends AnyGraph, Row> extends NameOption {
  /** Columns that identify a row of the result. Default: a row's whole content. */
  readonly key?: (keyof Row & string) | ReadonlyArray<keyof Row & string>
  /** Local tables the query depends on. Default: those of the graph named in the text. */
  readonly tables?: ReadonlyArray<TableOfGraph<G>>
}

export interface UseLiveQuery<G extends AnyGraph> {
  /**
   * Live result of local SQL: `` useLiveQuery(sql`select … where id = ${id}`) ``, `{ sql, params, tables? }` or a
   * Drizzle select, or a ref or getter of one. While it is null, or a parameter is `undefined`, nothing is read and
   * the result is pending. A Drizzle query gives the rows its own type promises; it is only built, never run, so
   * `new QueryBuilder()` is enough. May be awaited in an async setup, for `<Suspense>`.
   * @throws EspalierMissing without the plugin
   */
  <Row extends object = Record<string, unknown>>(
    query: MaybeRefOrGetter<LiveQuery<Row> | null | undefined>,
    options?: LiveQueryOptions<G, Row>,
  ): AwaitableRows<Row>
}

interface Asked {
  readonly query: LiveSql<unknown> | DrizzleRead
  readonly tables: ReadonlyArray<string> | undefined
}

export const useLiveQuery: UseLiveQuery<RegisteredGraph> = <Row extends object>(
  query: MaybeRefOrGetter<LiveQuery<Row> | null | undefined>,
  options: LiveQueryOptions<RegisteredGraph, Row> = {},
): AwaitableRows<Row> => {
  const espalier = injectEspalier("useLiveQuery()", options)
  const key = options.key === undefined ? [] : typeof options.key === "string" ? [options.key] : options.key
  const asked = computed<Asked | null>(() => {
    const given = toValue(query)
    if (given === null || given === undefined) return null
    if (isDrizzleQuery<Row>(given)) return { query: drizzleRead(given), tables: undefined }
    return { query: given, tables: given.tables }
  })
  const ask = (): RowsAsk | null => {
    if (asked.value === null) return null
    const { query: given } = asked.value
    const params = (given.params ?? []).map((param) => toValue(param))
    if (params.some((param) => param === undefined)) return null
    const tables = options.tables ?? asked.value.tables ?? tablesIn(espalier.graph, given.sql)
    const shape = "shape" in given ? { shape: given.shape } : {}
    return { sql: given.sql, params, tables, key, parts: null, ...shape }
  }
  const dependsOn = computed(() => {
    try {
      return ask()?.tables ?? []
    } catch {
      // The rows' `error` says what is wrong with the query; here it only means that nothing feeds it.
      return []
    }
  })
  return liveRows<Row>({
    espalier,
    ask,
    supply: () => supplyOfTables(espalier.graph, espalier.status.value, dependsOn.value),
    decode: () => {
      const given = asked.value?.query
      return given !== undefined && "decode" in given ? given.decode : null
    },
  })
}
