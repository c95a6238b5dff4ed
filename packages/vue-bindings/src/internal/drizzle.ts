/**
 * Runs a select that was built with Drizzle, without depending on Drizzle: its text and parameters come from `toSQL()`,
 * and its selected fields say how a row of the database becomes the row its type promises (nested by table where it
 * joins). Exists because two columns of one name would swallow each other in a result by name, so the text is wrapped
 * and its columns are renamed by position.
 */

/**
 * What every select builder of Drizzle has: `db.select()…from()…`, or `new QueryBuilder().select()…from()…`, which needs
 * no driver.
 */
export interface DrizzleQuery<Row> {
  readonly toSQL: () => { readonly sql: string; readonly params: ReadonlyArray<unknown> }
  readonly _: { readonly result: ReadonlyArray<Row> }
}

interface Decoder {
  readonly mapFromDriverValue: (value: unknown) => unknown
}

interface Leaf {
  readonly path: ReadonlyArray<string>
  readonly decode: (value: unknown) => unknown
}

/** A query of Drizzle that cannot be read live; `message` says which can. */
export class DrizzleQueryUnsupported extends Error {
  readonly _tag = "DrizzleQueryUnsupported"
  constructor() {
    super(
      "useLiveQuery takes Drizzle's select queries (db.select()…from()…). Write relational queries as a select with joins, " +
        "or as an sql`…` template.",
    )
    this.name = "DrizzleQueryUnsupported"
  }
}

const isObject = (value: unknown): value is Record<string | symbol, unknown> =>
  typeof value === "object" && value !== null

const isDecoder = (value: unknown): value is Decoder =>
  isObject(value) && typeof value["mapFromDriverValue"] === "function"

/** Columns decode themselves; an `sql` expression, aliased or not, carries its decoder. */
const decoderOf = (field: Record<string | symbol, unknown>): Decoder | null => {
  if (isDecoder(field)) return field
  if (isDecoder(field["decoder"])) return field["decoder"]
  const inner = field["sql"]
  return isObject(inner) && isDecoder(inner["decoder"]) ? inner["decoder"] : null
}

/** Drizzle keeps a table's columns under this registered symbol. */
const columnsSymbol = Symbol.for("drizzle:Columns")

/** In the order in which Drizzle writes them into the text. */
const leavesOf = (fields: object, path: ReadonlyArray<string> = []): ReadonlyArray<Leaf> =>
  Object.entries(fields).flatMap(([name, field]: [string, unknown]) => {
    if (!isObject(field)) return []
    const here = [...path, name]
    const decoder = decoderOf(field)
    if (decoder !== null) {
      return [{ path: here, decode: (value: unknown) => decoder.mapFromDriverValue(value) }]
    }
    const columns = field[columnsSymbol]
    return leavesOf(isObject(columns) ? columns : field, here)
  })

/** The selected fields of a select; relational queries and writes have none. */
const fieldsOf = (query: object): object => {
  const config: unknown = "config" in query ? query.config : null
  if (isObject(config) && isObject(config["fields"])) return config["fields"]
  throw new DrizzleQueryUnsupported()
}

/** By what it can do, so that Drizzle need not be installed. */
export const isDrizzleQuery = <Row>(query: object): query is DrizzleQuery<Row> =>
  "toSQL" in query && typeof query.toSQL === "function"

/** Marks objects made here, so that a JSON value of a column is never taken for a joined table. */
const nested: object = Object.freeze({})

/** A side of an outer join that is not there: all of its columns are null, and so is its object. */
const withoutAbsent = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const isSide = isObject(value) && Object.getPrototypeOf(value) === nested
      if (!isSide) return [name, value]
      return [name, Object.values(value).every((cell) => cell === null) ? null : { ...value }]
    }),
  )

const rowOf = (leaves: ReadonlyArray<Leaf>, cells: Readonly<Record<string, unknown>>): object => {
  const row: Record<string, unknown> = {}
  leaves.forEach(({ path, decode }, index) => {
    const raw = cells[columnName(index)]
    const value = raw === null || raw === undefined ? null : decode(raw)
    const [first = "", second] = path
    if (second === undefined) row[first] = value
    else {
      const side = (row[first] ??= Object.create(nested)) as Record<string, unknown>
      side[second] = value
    }
  })
  return withoutAbsent(row)
}

const columnName = (index: number): string => `c${index}`

export interface DrizzleRead {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
  /** Tells two queries apart that differ in the names of their fields only. */
  readonly shape: string
  /** A row of the wrapped text as Drizzle's type says it. */
  readonly decode: (cells: object) => object
}

/** The query as it is read. @throws DrizzleQueryUnsupported */
export const drizzleRead = (query: DrizzleQuery<unknown>): DrizzleRead => {
  const leaves = leavesOf(fieldsOf(query))
  if (leaves.length === 0 || leaves.some(({ path }) => path.length > 2)) throw new DrizzleQueryUnsupported()
  const { sql, params } = query.toSQL()
  const names = leaves.map((_, index) => columnName(index)).join(", ")
  return {
    // A subquery keeps its order when nothing is done with it but renaming.
    sql: `select * from (${sql}) as drizzle_query(${names})`,
    params,
    shape: JSON.stringify(leaves.map(({ path }) => path)),
    decode: (cells) => rowOf(leaves, cells as Readonly<Record<string, unknown>>),
  }
}
