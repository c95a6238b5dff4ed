/** The operators, functions and cast targets a where-clause may use (protocol reference §5.1). Everything else is refused. */

/** Operators. */
export const operators: ReadonlySet<string> = new Set([
  "=",
  "<>",
  "<",
  ">",
  "<=",
  ">=",
  "+",
  "-",
  "*",
  "/",
  "^",
  "|/",
  "@",
  "&",
  "|",
  "#",
  "~",
  "||",
  "@>",
  "<@",
  "&&",
])

/** What LIKE, ILIKE and their negations are called before ANY and ALL. */
export const patternOperators: ReadonlySet<string> = new Set(["~~", "!~~", "~~*", "!~~*"])

/** Functions by name and number of arguments; `-1` allows any number. */
export const functions: Readonly<Record<string, ReadonlyArray<number>>> = {
  lower: [1],
  upper: [1],
  like: [2],
  ilike: [2],
  concat: [-1],
  array_cat: [2],
  array_prepend: [2],
  array_append: [2],
  array_ndims: [1],
  timezone: [2],
  justify_days: [1],
  justify_hours: [1],
  justify_interval: [1],
}

/** Calls Electric answers as aggregation. */
export const isAggregation = (fields: Readonly<Record<string, unknown>>): boolean =>
  ["agg_star", "over", "agg_order", "agg_filter", "agg_within_group", "agg_distinct"].some(
    (name) => fields[name] !== undefined && fields[name] !== false,
  )

/** Types a value may be cast to; array forms too. */
export const castTargets: ReadonlySet<string> = new Set([
  "bool",
  "bytea",
  "date",
  "float4",
  "float8",
  "int2",
  "int4",
  "int8",
  "jsonb",
  "text",
  "time",
  "timestamp",
  "timestamptz",
  "uuid",
  "varchar",
  "interval",
])
