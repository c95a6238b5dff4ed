/**
 * Subset snapshots: rows of a shape that match a further condition, in an order, as they are now (protocol reference
 * §4.9). Base and subset conditions are both parenthesised, so a subset can only narrow. Runs inside the engine's
 * transaction, after all changes before it were told, and changes nothing.
 */
import { type Sql, SqlFailure } from "../db/Database.ts"
import { analyse } from "../where/analyse.ts"
import { readOrderBy } from "../where/orderBy.ts"
import { DefinitionError } from "../where/WhereError.ts"
import type { Definition } from "./Definition.ts"
import { snapshotRow, type Visibility } from "./messages.ts"
import { membershipOf, readFacts, readRows, readVisibility } from "./read.ts"
import { drain, type DrainContext, type Drained } from "./drain.ts"
import { rowExpressions, type Shape, type ValueSets } from "./Shape.ts"
import type { ShapeRegistry } from "./ShapeRegistry.ts"

/** A well-formed subset. */
export interface SubsetRequest {
  readonly where: string | null
  readonly params: ReadonlyMap<number, string>
  readonly orderBy: string | null
  readonly limit: number | null
  readonly offset: number | null
}

/** What a subset holds. */
export interface Subset {
  readonly rows: ReadonlyArray<object>
  readonly visibility: Visibility
  /** The number in every row's `snapshot_mark`. */
  readonly mark: number
}

/** A subset, and the LSN up to which it contains every change. */
export interface SubsetAnswer extends Subset {
  readonly lsn: number
}

/** Marks are below this. */
const snapshotMarks = 2 ** 31

/** A subset that cannot be read: the field, and what Electric says, a list or (for Postgres's own words) a text. */
export class SubsetError extends Error {
  readonly _tag = "SubsetError"
  readonly field: string
  readonly said: ReadonlyArray<string> | string
  constructor(field: string, said: ReadonlyArray<string> | string) {
    super(String(said))
    this.name = "SubsetError"
    this.field = field
    this.said = said
  }
}

/** The SQL of a subset, checked against the columns it may name. @throws SubsetError */
const defineSubset = async (
  sql: Sql,
  definition: Definition,
  request: SubsetRequest,
): Promise<{ readonly where: string; readonly tail: string }> => {
  const table = { ...definition.table, columns: definition.queryable }
  try {
    const where =
      request.where === null ? "TRUE" : (await analyse(sql, table, request.where, request.params, false)).sql
    const order = request.orderBy === null ? "" : await readOrderBy(request.orderBy, definition.queryable)
    const tail = [
      order === "" ? "" : ` order by ${order}`,
      request.limit === null ? "" : ` limit ${request.limit}`,
      request.offset === null ? "" : ` offset ${request.offset}`,
    ]
    return { where, tail: tail.join("") }
  } catch (error) {
    throw toSubsetError(error)
  }
}

const toSubsetError = (error: unknown): unknown => {
  if (!(error instanceof DefinitionError)) return error
  const field = error.field === "order_by" ? error.field : "where"
  const { cause } = error
  const isEnum = cause instanceof SqlFailure && cause.message.startsWith("invalid input value for enum")
  return new SubsetError(field, isEnum ? cause.message : [error.message])
}

/** Reads the rows. `sets` are the inner values the shape has told by. @throws SubsetError */
const readSubset = async (
  sql: Sql,
  definition: Definition,
  shape: { readonly handle: string; readonly sets: ValueSets },
  request: SubsetRequest,
  mark: number,
): Promise<Subset> => {
  const { where, tail } = await defineSubset(sql, definition, request)
  const expressions = rowExpressions(definition)
  const visibility = await readVisibility(sql)
  const rows = await readRows(sql, definition, { sql: where, params: [] }, tail).catch((error: unknown) => {
    throw error instanceof SqlFailure ? new SubsetError("where", error.message) : error
  })
  return {
    visibility,
    mark,
    rows: rows.map(({ row, values }) => {
      const facts = readFacts(definition, expressions, shape.sets, values)
      return snapshotRow(definition, row, membershipOf(definition, shape.handle, facts), false, mark)
    }),
  }
}

/** A round of the engine that ends with a subset of one of its shapes. */
export interface SubsetRound {
  readonly registry: ShapeRegistry
  readonly shape: Shape
  readonly definition: Definition
  readonly request: SubsetRequest
}

/**
 * Tells all changes and reads the subset in one transaction, so that what the subset shows is what the log holds. Without
 * `subset` and `error` the shape turned out to be void. A bad subset does not undo the changes told beside it.
 */
export const subsetRound = async (
  sql: Sql,
  context: DrainContext,
  { registry, shape, definition, request }: SubsetRound,
): Promise<{ readonly drained: Drained; readonly subset?: Subset; readonly error?: unknown }> => {
  const drained = await drain(sql, context, registry)
  if (shape.isVoid || drained.voided.includes(shape)) return { drained }
  const sets = drained.told.find((one) => one.shape === shape)?.told.sets ?? shape.sets
  const mark = context.clock.next() % snapshotMarks
  await sql.exec("savepoint espalier_subset")
  try {
    const subset = await readSubset(sql, definition, { handle: shape.handle, sets }, request, mark)
    return { drained, subset }
  } catch (error) {
    await sql.exec("rollback to savepoint espalier_subset")
    return { drained, error }
  }
}
