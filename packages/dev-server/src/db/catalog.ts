/**
 * What the database says about a table: identity, columns, key, and the `electric-schema` description of each column.
 * A table's signature changes exactly when a shape over it may no longer be served from its log. Reads only.
 */
import type { Sql, TextRow } from "./Database.ts"
import { quoteIdent } from "./identifier.ts"

/** One column; `header` is its entry in the `electric-schema` header. */
export interface Column {
  readonly name: string
  /** The type as SQL spells it, modifiers included: `numeric(10,2)`. */
  readonly type: string
  /** The type's bare name: `int4`, `text`, or a user's own. */
  readonly typeName: string
  /** The type without modifiers, as a cast spells it: `numeric`, `bpchar`, `integer[]`. */
  readonly castType: string
  readonly typeOid: string
  readonly isNullable: boolean
  /** A generated column that captured changes do not hold: a virtual one, and before Postgres 18 a stored one, too. */
  readonly isVirtual: boolean
  /**
   * Whether changes hold it and two values are equal exactly when their output texts are: an index by text may stand for `=`.
   */
  readonly equalsAsText: boolean
  readonly header: Readonly<Record<string, unknown>>
}

/** One table. */
export interface Table {
  readonly oid: string
  readonly schema: string
  readonly name: string
  /** Schema and name, quoted for SQL. */
  readonly sqlName: string
  /** In table order, dropped ones left out. */
  readonly columns: ReadonlyArray<Column>
  /** Names in key order; all columns where the table has no primary key. */
  readonly keyColumns: ReadonlyArray<string>
  /** Whether it has a primary key. */
  readonly hasKey: boolean
  /** Whether it is one partition of a partitioned table. */
  readonly isPartition: boolean
  /** Its partitions: one that comes or goes by ALTER TABLE brings or takes rows no trigger sees. */
  readonly partitions: string
  /** Text that changes with any column, type or key of the table. NOT NULL is left out on purpose (it rotates nothing). */
  readonly signature: string
}

const tableQuery = `
  select c.oid, n.nspname, c.relname, c.relispartition,
    (select string_agg(p.relid::oid::text, ',' order by p.relid::oid) from pg_partition_tree(c.oid) as p where c.relkind = 'p')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and c.relpersistence <> 't'`

const columnsQuery = `
  select a.attname, format_type(a.atttypid, a.atttypmod), t.typname, a.atttypid, a.atttypmod, a.attnotnull,
    a.attgenerated = 'v' or (a.attgenerated = 's' and current_setting('server_version_num')::int < 180000), a.attndims, e.typname,
    array_position(i.indkey::int2[], a.attnum), format_type(a.atttypid, -1),
    (t.typname in ('int2', 'int4', 'int8', 'oid', 'bool', 'uuid', 'text', 'varchar') or t.typtype = 'e')
      and coalesce(l.collisdeterministic, true)
  from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    left join pg_collation l on l.oid = a.attcollation
    left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
    left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
  where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
  order by a.attnum`

/** Looks a table up by name; `null` where there is none (views, foreign and temporary tables count as none). */
export const findTable = async (sql: Sql, schema: string, name: string): Promise<Table | null> => {
  const [row] = await sql.rows(`${tableQuery} and n.nspname = $1 and c.relname = $2`, [schema, name])
  return row === undefined ? null : describe(sql, row)
}

/** Looks a table up by its id. */
export const findTableByOid = async (sql: Sql, oid: string): Promise<Table | null> => {
  const [row] = await sql.rows(`${tableQuery} and c.oid = $1::oid`, [oid])
  return row === undefined ? null : describe(sql, row)
}

const describe = async (sql: Sql, row: TextRow): Promise<Table> => {
  const [oid, schema, name, isPartition, partitions] = row.map(String) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const described = (await sql.rows(columnsQuery, [oid])).map(describeColumn)
  const key = described.filter((entry) => entry.keyIndex !== null)
  key.sort((a, b) => Number(a.keyIndex) - Number(b.keyIndex))
  const columns = described.map((entry) => entry.column)
  const keyColumns = (key.length > 0 ? key : described).map((entry) => entry.column.name)
  return {
    oid,
    schema,
    name,
    sqlName: `${quoteIdent(schema)}.${quoteIdent(name)}`,
    columns,
    keyColumns,
    hasKey: key.length > 0,
    isPartition: isPartition === "t",
    partitions,
    signature: JSON.stringify([
      oid,
      schema,
      name,
      columns.map((c) => [c.name, c.typeOid, c.type]),
      keyColumns,
    ]),
  }
}

const describeColumn = (row: TextRow): { readonly column: Column; readonly keyIndex: number | null } => {
  const [
    name,
    type,
    typeName,
    typeOid,
    typmodText,
    notNull,
    generated,
    ndims,
    elementName,
    keyIndex,
    castType,
    equalsAsText,
  ] = row
  const typmod = Number(typmodText)
  const isArray = elementName !== null && elementName !== undefined
  const base = isArray ? elementName : String(typeName)
  const header: Record<string, unknown> = { type: base, ...modifiers(base, typmod, String(type)) }
  if (isArray) header["dims"] = Math.max(1, Number(ndims))
  if (notNull === "t") header["not_null"] = true
  if (keyIndex !== null && keyIndex !== undefined) header["pk_index"] = Number(keyIndex)
  return {
    column: {
      name: String(name),
      type: String(type),
      typeName: String(typeName),
      castType: String(castType),
      typeOid: String(typeOid),
      isNullable: notNull !== "t",
      isVirtual: generated === "t",
      equalsAsText: equalsAsText === "t" && generated !== "t",
      header,
    },
    keyIndex: keyIndex === null || keyIndex === undefined ? null : Number(keyIndex),
  }
}

const timeTypes = new Set(["time", "timetz", "timestamp", "timestamptz"])

/** The modifier fields of the schema header (protocol reference §7). */
const modifiers = (base: string, typmod: number, type: string): Record<string, unknown> => {
  if (base === "varbit" && typmod < 0) return { length: -1 }
  if (typmod < 0) return {}
  if (base === "varchar") return { max_length: typmod - 4 }
  if (base === "bpchar") return { length: typmod - 4 }
  if (base === "bit" || base === "varbit") return { length: typmod }
  if (base === "numeric") return { precision: ((typmod - 4) >> 16) & 0xffff, scale: numericScale(typmod) }
  // A precision of 0 is told as Electric tells it.
  if (timeTypes.has(base)) return typmod === 0 ? { type_mod: 0 } : { precision: typmod }
  if (base === "interval") return intervalModifiers(type)
  return { type_mod: typmod }
}

/** The scale is an 11-bit signed number in the low bits (Postgres numeric.c). */
const numericScale = (typmod: number): number => {
  const scale = (typmod - 4) & 0x7ff
  return scale >= 1024 ? scale - 2048 : scale
}

const intervalModifiers = (type: string): Record<string, unknown> => {
  const match = /^interval(?: ([a-z ]+?))?(?:\((\d)\))?(?:\[\])*$/u.exec(type)
  const out: Record<string, unknown> = {}
  if (match?.[2] !== undefined) out["precision"] = Number(match[2])
  if (match?.[1] !== undefined) out["fields"] = match[1].toUpperCase()
  return out
}
