/**
 * Names, columns and DDL of one local table and of the two tables beside it: provenance (which instance holds which row, with
 * tags and version) and stage (rows not readable yet). Exists so that no other file builds an identifier. Pure text; called by
 * the statement builders and by `schema.ts`.
 *
 * Every provenance row of a local row carries the version of the row's readable value, so that the last holder's departure
 * needs no copying. Our columns are prefixed so that no declared column can collide with them.
 */
import type { TableDef } from "../../graph/Table.ts"
import { quoteIdent } from "../../protocol/compile.ts"
import { hashOf } from "../../protocol/hash.ts"
import { hasPlainText } from "../store/rowKey.ts"

export interface PlanColumn {
  readonly name: string
  readonly quoted: string
  readonly type: string
  /** Its name in an input of arrays: `c0`, `c1`, … by declaration order. */
  readonly input: string
}

export interface TablePlan {
  readonly def: TableDef
  readonly app: string
  readonly held: string
  readonly stage: string
  readonly columns: ReadonlyArray<PlanColumn>
  readonly keys: ReadonlyArray<PlanColumn>
  /** Quoted names of our columns in the held and stage tables. */
  readonly own: OwnColumns
  /** Statements built so far, by what they are; see {@link once}. */
  readonly texts: Map<string, string>
}

/** A statement's text, built once per table: building it costs more than running it on one row. */
export const once = (plan: TablePlan, name: string, make: () => string): string => {
  const known = plan.texts.get(name)
  if (known !== undefined) return known
  const made = make()
  plan.texts.set(name, made)
  return made
}

/** Names a set of columns. */
export const columnsName = (columns: ReadonlyArray<PlanColumn>): string =>
  columns.map(({ input }) => input).join(" ")

export interface OwnColumns {
  readonly instance: string
  readonly lsn: string
  readonly op: string
  readonly txid: string
  readonly snapshot: string
  /** Instance that wrote the readable value. */
  readonly writer: string
  readonly tags: string
  readonly active: string
}

/** Everything the statement builders need to know of a table. */
export const planOf = (def: TableDef): TablePlan => {
  const columns = Object.entries(def.columns).map(([name, column], index) => ({
    name,
    quoted: quoteIdent(name),
    type: column.type,
    input: `c${index}`,
  }))
  const prefix = ownPrefix(Object.keys(def.columns))
  const own = (name: string): string => quoteIdent(prefix + name)
  return {
    def,
    app: quoteIdent(def.name),
    held: `espalier.${quoteIdent(sideName("prov_", def.name))}`,
    stage: `espalier.${quoteIdent(sideName("stage_", def.name))}`,
    texts: new Map(),
    columns,
    keys: def.primaryKey.flatMap((key) => columns.find(({ name }) => name === key) ?? []),
    own: {
      instance: own("instance"),
      lsn: own("lsn"),
      op: own("op"),
      txid: own("txid"),
      snapshot: own("snapshot"),
      writer: own("writer"),
      tags: own("tags"),
      active: own("active"),
    },
  }
}

/** Fewest underscores (at least none) that keep our column names apart from the declared ones. */
const ownPrefix = (declared: ReadonlyArray<string>): string => {
  const names = ["instance", "lsn", "op", "txid", "snapshot", "writer", "tags", "active"]
  let prefix = ""
  while (names.some((name) => declared.includes(prefix + name))) prefix += "_"
  return prefix
}

/** A name of at most 63 bytes: Postgres cuts longer ones silently, and two tables could then share one. */
export const sideName = (prefix: string, table: string): string => {
  const name = prefix + table
  return new TextEncoder().encode(name).length <= 63 ? name : `${prefix}${hashOf(table)}`
}

/** Tables of ours that no local table owns. */
export const baseDdl: ReadonlyArray<string> = [
  `create schema if not exists espalier`,
  `create table if not exists espalier.tables (name text primary key, version text not null, shared bool not null default false,
     explicit bool not null default false, spilled bool not null default false)`,
  `create table if not exists espalier.snapshots (id int4 generated always as identity primary key,
     state text not null, seen_xmin text, seen_xmax text, seen_xip text[])`,
  `create table if not exists espalier.instances (id int4 generated always as identity primary key, key text not null unique,
     node text not null, table_name text not null, bindings jsonb not null, hash text not null, handle text, log_offset text,
     complete bool not null default false, last_up_to_date float8, tags_doubtful bool not null default false,
     staging bool not null default false, stage_handle text, swapped bool not null default false, pending_snapshot int4, held int4 not null default 0,
     slice jsonb not null default '{}', pos_lsn int8, pos_op int8, pos_txid int8, snapshot int4)`,
  `alter table espalier.tables add column if not exists explicit bool not null default false,
     add column if not exists spilled bool not null default false`,
  `alter table espalier.instances add column if not exists slice jsonb not null default '{}', add column if not exists pos_lsn int8,
     add column if not exists pos_op int8, add column if not exists pos_txid int8, add column if not exists snapshot int4`,
]

/** Provenance and stage of one local table. */
export const sideDdl = (plan: TablePlan): ReadonlyArray<string> => {
  const { own } = plan
  const keyColumns = plan.keys.map(({ quoted, type }) => `${quoted} ${type} not null`)
  const allColumns = plan.columns.map(({ quoted, type }) => `${quoted} ${type}`)
  const version = `${own.lsn} int8, ${own.op} int8, ${own.txid} int8, ${own.snapshot} int4`
  const tags = `${own.tags} text[], ${own.active} bool[]`
  const keys = plan.keys.map(({ quoted }) => quoted).join(", ")
  return [
    `create table if not exists ${plan.held} (${keyColumns.join(", ")}, ${own.instance} int4 not null, ${version},
       ${own.writer} int4 not null, ${tags}, primary key (${keys}, ${own.instance}))`,
    `create index if not exists ${quoteIdent(sideName("held_", plan.def.name))} on ${plan.held} (${own.instance})`,
    `create table if not exists ${plan.stage} (${allColumns.join(", ")}, ${own.instance} int4 not null, ${version}, ${tags},
       primary key (${own.instance}, ${keys}))`,
  ]
}

/** One array of an input: the name it is known by and the type its texts are cast to. */
export interface Field {
  readonly as: string
  readonly type: string
  /** The column's own name, for messages. */
  readonly name?: string
}

/** Arrays of key columns, or of any columns, in plan order. */
export const fieldsOf = (columns: ReadonlyArray<PlanColumn>): ReadonlyArray<Field> =>
  columns.map(({ input, name, type }) => ({ as: input, type, name }))

export const versionFields: ReadonlyArray<Field> = [
  { as: "v_lsn", type: "int8" },
  { as: "v_op", type: "int8" },
  { as: "v_txid", type: "int8" },
  { as: "v_snapshot", type: "int4" },
  { as: "v_writer", type: "int4" },
]

export const tagFields: ReadonlyArray<Field> = [
  { as: "v_tags", type: "text[]" },
  { as: "v_active", type: "bool[]" },
]

/**
 * A common table expression over text arrays `$first…`, one per field, each cast to its type: values reach Postgres exactly
 * as text, in one statement for any number of rows. `ord` counts rows from 1.
 */
export const inputOf = (fields: ReadonlyArray<Field>, first = 1, name = "input"): string => {
  const casts = fields.map(({ as, type }, index) => `u.a${index}::${type} as ${as}`)
  const arrays = fields.map((_, index) => `$${first + index}::text[]`)
  const names = fields.map((_, index) => `a${index}`)
  return `${name} as materialized (select ${casts.join(", ")}, u.ord from unnest(${arrays.join(", ")}) with ordinality as u(${[...names, "ord"].join(", ")}))`
}

/** `left.key = right.key and …`, the right side by column name. */
export const sameKey = (plan: TablePlan, left: string, right: string): string =>
  plan.keys.map(({ quoted }) => `${left}.${quoted} = ${right}.${quoted}`).join(" and ")

/**
 * Whether an entry that is looked up by its key is the instance's. Written so that no index on the instance can serve it: without
 * statistics Postgres would go through all entries of the instance for each key.
 */
export const isEntryOf = (plan: TablePlan, alias: string, instance: string): string =>
  `${alias}.${plan.own.instance} + 0 = ${instance}`

/** `left.key = input.cN and …`. */
export const keyIsInput = (plan: TablePlan, left: string, input = "input"): string =>
  plan.keys.map((key) => `${left}.${key.quoted} = ${input}.${key.input}`).join(" and ")

/** Whether any of the columns differ, bit by bit: `1.0` is not `1.00`, and types without `=` compare too. */
export const differs = (
  columns: ReadonlyArray<string>,
  left: (column: string) => string,
  right: (column: string) => string,
): string => `row(${columns.map(left).join(", ")})::record *<> row(${columns.map(right).join(", ")})::record`

/** The text that equal key values share; the same for plain types as `canonicalPlain`. */
export const canonicalText = (type: string, expression: string): string =>
  type === "numeric" ? `trim_scale((${expression})::numeric)::text` : `(${expression})::${type}::text`

/** Key columns whose canonical text only Postgres knows. */
export const exoticKeys = (plan: TablePlan): ReadonlyArray<PlanColumn> =>
  plan.keys.filter(({ type }) => !hasPlainText.has(type))
