/**
 * The small typed expression language of filters, as plain data. A value or parameter in it always becomes
 * a `$n` of the shape; it is never spliced into SQL text. It exists so that the same filter can be compiled for the
 * server, evaluated locally, checked for types and shown in the panel. Compiling lives in `protocol/compile.ts`.
 */

/** A graph parameter by name, e.g. `param("userId")`. */
export interface ParamRef<Name extends string = string> {
  readonly _tag: "Param"
  readonly name: Name
}

/** A column of the node's own table; only needed inside `sql` templates. */
export interface ColumnRef<Name extends string = string> {
  readonly _tag: "Column"
  readonly name: Name
}

/** Constants a filter may hold. They travel as Postgres text. */
export type Literal = string | number | boolean

/** Right-hand side of a comparison. */
export type Operand<Params extends string = string> = Literal | ParamRef<Params>

export type CompareOp = "=" | "<>" | "<" | "<=" | ">" | ">="

/** A boolean expression over the columns `Columns` and the graph parameters `Params`. */
export type Filter<Columns extends string = string, Params extends string = string> =
  | {
      readonly _tag: "Compare"
      readonly op: CompareOp
      readonly column: Columns
      readonly value: Operand<Params>
    }
  | { readonly _tag: "In"; readonly column: Columns; readonly values: ReadonlyArray<Operand<Params>> }
  | { readonly _tag: "IsNull"; readonly column: Columns }
  | { readonly _tag: "And"; readonly filters: ReadonlyArray<Filter<Columns, Params>> }
  | { readonly _tag: "Or"; readonly filters: ReadonlyArray<Filter<Columns, Params>> }
  | { readonly _tag: "Not"; readonly filter: Filter<Columns, Params> }
  | {
      readonly _tag: "Sql"
      readonly strings: ReadonlyArray<string>
      readonly values: ReadonlyArray<Operand<Params> | ColumnRef<Columns>>
    }

/** A reference to a graph parameter. */
export const param = <const Name extends string>(name: Name): ParamRef<Name> => ({ _tag: "Param", name })

/** A reference to a column, for use inside {@link sql}. */
export const col = <const Name extends string>(name: Name): ColumnRef<Name> => ({ _tag: "Column", name })

type ParamsIn<Value> = Value extends ParamRef<infer Name> ? Name : never
type ColumnsIn<Value> = Value extends ColumnRef<infer Name> ? Name : never

const compare =
  (op: CompareOp) =>
  <const Column extends string, const Value extends Operand>(
    column: Column,
    value: Value,
  ): Filter<Column, ParamsIn<Value>> =>
    ({ _tag: "Compare", op, column, value }) as Filter<Column, ParamsIn<Value>>

/** `column = value` */
export const eq = compare("=")
/** `column <> value` */
export const ne = compare("<>")
/** `column < value` */
export const lt = compare("<")
/** `column <= value` */
export const lte = compare("<=")
/** `column > value` */
export const gt = compare(">")
/** `column >= value` */
export const gte = compare(">=")

/** `column IN (values)`; at most 100 values (the server's cost grows with the cube of the list, protocol reference §14.2). */
export const isIn = <const Column extends string, const Value extends Operand>(
  column: Column,
  values: ReadonlyArray<Value>,
): Filter<Column, ParamsIn<Value>> => ({ _tag: "In", column, values }) as Filter<Column, ParamsIn<Value>>

/** `column IS NULL` */
export const isNull = <const Column extends string>(column: Column): Filter<Column, never> => ({
  _tag: "IsNull",
  column,
})

// Read off the arms by indexed access: inferring through `Filter<infer …>` turns "no params" (never) into string.
type ParamNameOf<Value> = Value extends { readonly _tag: "Param"; readonly name: unknown }
  ? Value["name"]
  : never
type ColumnsOfFilter<F> = F extends { readonly _tag: "Compare"; readonly column: unknown }
  ? F["column"]
  : never
type ParamsOfFilter<F> = F extends { readonly _tag: "Compare"; readonly value: unknown }
  ? ParamNameOf<F["value"]>
  : never

/** All of the filters hold. */
export const and = <const Filters extends ReadonlyArray<Filter>>(
  ...filters: Filters
): Filter<ColumnsOfFilter<Filters[number]>, ParamsOfFilter<Filters[number]>> =>
  ({ _tag: "And", filters }) as Filter<ColumnsOfFilter<Filters[number]>, ParamsOfFilter<Filters[number]>>

/** At least one of the filters holds. */
export const or = <const Filters extends ReadonlyArray<Filter>>(
  ...filters: Filters
): Filter<ColumnsOfFilter<Filters[number]>, ParamsOfFilter<Filters[number]>> =>
  ({ _tag: "Or", filters }) as Filter<ColumnsOfFilter<Filters[number]>, ParamsOfFilter<Filters[number]>>

/** The filter does not hold. */
export const not = <const F extends Filter>(filter: F): Filter<ColumnsOfFilter<F>, ParamsOfFilter<F>> =>
  ({ _tag: "Not", filter }) as Filter<ColumnsOfFilter<F>, ParamsOfFilter<F>>

/** Free SQL for what the language lacks; every interpolation is a `$n`, a `param(...)` or a `col(...)`, never text. */
export const sql = <const Values extends ReadonlyArray<Operand | ColumnRef>>(
  strings: TemplateStringsArray,
  ...values: Values
): Filter<ColumnsIn<Values[number]>, ParamsIn<Values[number]>> =>
  ({ _tag: "Sql", strings: [...strings], values }) as Filter<
    ColumnsIn<Values[number]>,
    ParamsIn<Values[number]>
  >
