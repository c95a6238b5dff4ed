/**
 * SQL identifiers: quoting for local SQL (always) and for shape definitions (only where needed, so that a definition reads
 * like what a person would write and equal graphs give equal text). Pure text; used by validation (server
 * tables), the compiler and, through it, the adapters.
 */

/** A SQL identifier, always quoted. */
export const quoteIdent = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Postgres 18 keywords that `quote_identifier` quotes: reserved, type-or-function and column-name keywords. */
const keywords: ReadonlySet<string> = new Set(
  (
    "all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast " +
    "char character check coalesce collate collation column concurrently constraint create cross current_catalog " +
    "current_date current_role current_schema current_time current_timestamp current_user dec decimal default deferrable " +
    "desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest group " +
    "grouping having ilike in initially inner inout int integer intersect interval into is isnull join json json_array " +
    "json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value " +
    "lateral leading least left like limit localtime localtimestamp merge_action national natural nchar none normalize " +
    "not notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary " +
    "real references returning right row select session_user setof similar smallint some substring symmetric " +
    "system_user table tablesample then time timestamp to trailing treat trim true union unique user using values varchar " +
    "variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces " +
    "xmlparse xmlpi xmlroot xmlserialize xmltable"
  ).split(" "),
)

/** A SQL identifier, quoted only where Postgres would need it: capitals, odd characters, keywords. */
export const quoteIdentIfNeeded = (name: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(name) && !keywords.has(name) ? name : quoteIdent(name)

/**
 * The parts of a declared server table: `users`, `sales.users`, `"My Schema".users`. A part written without quotes is taken
 * literally, capitals included. `null` when it cannot be read.
 */
export const parseServerTable = (from: string): ReadonlyArray<string> | null => {
  const part = /^(?:"((?:[^"]|"")+)"|([^".]+))(?:\.|$)/
  const parts: Array<string> = []
  let rest = from
  while (rest !== "") {
    const match = part.exec(rest)
    if (match === null) return null
    parts.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll('""', '"'))
    const next = rest.slice(match[0].length)
    if (next === "" && match[0].endsWith(".")) return null
    rest = next
  }
  return parts.length === 1 || parts.length === 2 ? parts : null
}

/** A declared server table as SQL, quoted where needed. */
export const serverTable = (from: string): string =>
  (parseServerTable(from) ?? [from]).map(quoteIdentIfNeeded).join(".")
