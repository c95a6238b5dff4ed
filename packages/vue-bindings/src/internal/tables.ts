/**
 * Finds which local tables of a graph a SQL text reads, so that a query re-runs when one of them changes.
 * Matches names as identifiers and over-approximates on purpose: a name in a comment costs one read too many,
 * a missed table would show old rows for ever. Pure.
 */
import type { GraphData } from "@espalier/engine/graph"

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** Whether a SQL text names a table, or anything of that name. */
export const namesTable = (sql: string, table: string): boolean =>
  new RegExp(`(?<![\\w$])${escaped(table)}(?![\\w$])`, "i").test(sql)

/**
 * The graph's tables named in `sql`; every table where none is (a view, a function), rather than no updates
 * at all.
 */
export const tablesIn = (graph: GraphData, sql: string): ReadonlyArray<string> => {
  const all = Object.keys(graph.tables)
  const named = all.filter((table) => namesTable(sql, table))
  return named.length > 0 ? named : all
}
