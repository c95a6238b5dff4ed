/**
 * The statements by which the rows view reads local tables: counts, the first rows with their keys as text, keys alone. Pure text;
 * names are quoted, values are parameters.
 */
import type { GraphData } from "@espalier/engine/graph"

type Table = GraphData["tables"][string]

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** `array["id"::text]`: the primary key as Postgres text, as `holders` takes it. */
const keyOf = ({ primaryKey }: Table): string =>
  `array[${primaryKey.map((column) => `${quote(column)}::text`).join(", ")}]`

/** Rows of every local table, one column each. */
export const countsSql = (graph: GraphData): string =>
  `select ${Object.values(graph.tables)
    .map(({ name }) => `(select count(*)::int4 from ${quote(name)}) as ${quote(name)}`)
    .join(", ")}`

/** The first rows of a table as `{key, row}`, narrowed by a text that occurs in them. */
export const rowsSql = (table: Table, limit: number): string =>
  `select ${keyOf(table)} as key, to_jsonb(t)::text as row from ${quote(table.name)} t
     where $1::text = '' or to_jsonb(t)::text ilike '%' || replace(replace($1::text, '\\', '\\\\'), '%', '\\%') || '%'
     order by ${table.primaryKey.map(quote).join(", ")} limit ${limit}`

/** The first keys of a table. */
export const keysSql = (table: Table, limit: number): string =>
  `select ${keyOf(table)} as key from ${quote(table.name)} order by ${table.primaryKey.map(quote).join(", ")} limit ${limit}`

/** Bytes of every local table with its indexes, one column each. */
export const sizesSql = (graph: GraphData): string =>
  `select ${Object.values(graph.tables)
    .map(
      ({ name }) =>
        `pg_total_relation_size('${quote(name).replaceAll("'", "''")}')::float8 as ${quote(name)}`,
    )
    .join(", ")}`
