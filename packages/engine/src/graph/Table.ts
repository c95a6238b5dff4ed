/**
 * Declares local tables: which server table they come from, their columns and keys, and the TypeScript
 * rows they hold. It exists so that one value drives the local schema, the shape definitions and the types
 * of the composables. Plain data only: no closures, no Effect, no I/O. Called by `Graph.make` and by tests.
 */

/** Postgres types a column may have locally. Enums, domains and composites travel as `text` unless the app asks. */
export type ScalarType =
  | "bool"
  | "bytea"
  | "date"
  | "float4"
  | "float8"
  | "int2"
  | "int4"
  | "int8"
  | "interval"
  | "json"
  | "jsonb"
  | "numeric"
  | "text"
  | "time"
  | "timestamp"
  | "timestamptz"
  | "uuid"
  | "varchar"

/** The same list at run time, for validation of graphs that arrive as JSON. */
export const scalarTypes: ReadonlySet<string> = new Set<ScalarType>([
  "bool",
  "bytea",
  "date",
  "float4",
  "float8",
  "int2",
  "int4",
  "int8",
  "interval",
  "json",
  "jsonb",
  "numeric",
  "text",
  "time",
  "timestamp",
  "timestamptz",
  "uuid",
  "varchar",
])

/** A scalar or a one-dimensional array of one. */
export type ColumnType = ScalarType | `${ScalarType}[]`

/** A column after normalisation, as every other part reads it. */
export interface ColumnDef {
  readonly type: ColumnType
  readonly nullable: boolean
}

/** A JSON column whose TypeScript type the app knows. Made by {@link json}; `_json` never exists at run time. */
export interface JsonColumn<Value> extends ColumnDef {
  readonly _json?: Value
}

/** What an app writes for a column: `"uuid"`, `"text?"` (nullable), or `json<T>()`. */
export type ColumnInput = ColumnType | `${ColumnType}?` | ColumnDef

/** A `jsonb` column with a typed value, not null. For a nullable one: `json<T | null>({ nullable: true })`. */
export const json = <Value>(options?: { readonly nullable?: boolean }): JsonColumn<Value> => ({
  type: "jsonb",
  nullable: options?.nullable ?? false,
})

/** Primary key of a table that declares none. */
export const defaultPrimaryKey: ReadonlyArray<string> = ["id"]

/** What an app writes for a table. The local name is the key it is declared under. */
export interface TableInput {
  /** Server table, `name` or `schema.name`. Default: the local name. */
  readonly from?: string
  readonly columns: Readonly<Record<string, ColumnInput>>
  /** Default: `["id"]`. */
  readonly primaryKey?: ReadonlyArray<string>
  /** Plain local indexes, each a list of columns. */
  readonly indexes?: ReadonlyArray<ReadonlyArray<string>>
}

/** A table after normalisation. */
export interface TableDef {
  readonly name: string
  readonly from: string
  readonly columns: Readonly<Record<string, ColumnDef>>
  readonly primaryKey: ReadonlyArray<string>
  readonly indexes: ReadonlyArray<ReadonlyArray<string>>
}

type ScalarValue<Type extends string> = Type extends "bool"
  ? boolean
  : Type extends "int2" | "int4" | "float4" | "float8"
    ? number
    : Type extends "int8"
      ? number | bigint
      : Type extends "date" | "timestamp" | "timestamptz"
        ? Date
        : Type extends "json" | "jsonb"
          ? unknown
          : Type extends "bytea"
            ? Uint8Array
            : string

type TypeValue<Type extends string> = Type extends `${infer Element}[]`
  ? ReadonlyArray<ScalarValue<Element>>
  : ScalarValue<Type>

/** The JavaScript value PGlite returns for a column. */
export type ColumnValue<Input> =
  Input extends JsonColumn<infer Value>
    ? unknown extends Value
      ? Input extends { readonly type: infer Type extends string; readonly nullable: infer Nullable }
        ? Nullable extends true
          ? TypeValue<Type> | null
          : TypeValue<Type>
        : Value
      : Value
    : Input extends `${infer Type}?`
      ? TypeValue<Type> | null
      : Input extends string
        ? TypeValue<Input>
        : never

/** The row type of a declared table. */
export type RowOf<Table extends { readonly columns: object }> = {
  readonly [Column in keyof Table["columns"]]: ColumnValue<Table["columns"][Column]>
}

/** Turns the shorthand of {@link ColumnInput} into a {@link ColumnDef}. */
export const normaliseColumn = (input: ColumnInput): ColumnDef => {
  if (typeof input !== "string") return { type: input.type, nullable: input.nullable }
  const nullable = input.endsWith("?")
  return { type: (nullable ? input.slice(0, -1) : input) as ColumnType, nullable }
}

/** Turns what the app wrote into a {@link TableDef}. Does not validate; `validateGraph` does. */
export const normaliseTable = (name: string, input: TableInput): TableDef => ({
  name,
  from: input.from ?? name,
  columns: Object.fromEntries(
    Object.entries(input.columns).map(([column, spec]) => [column, normaliseColumn(spec)]),
  ),
  primaryKey: [...(input.primaryKey ?? defaultPrimaryKey)],
  indexes: (input.indexes ?? []).map((index) => [...index]),
})
