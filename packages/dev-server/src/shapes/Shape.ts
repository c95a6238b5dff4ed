/**
 * One live shape: its definition, what it has told, the inner values it has told them by, and who waits for more.
 * Changed only by the engine, after a commit.
 */
import type { Definition, DefinitionRequest } from "./Definition.ts"
import { canonicalSql } from "../where/subquery.ts"
import { quoteIdent } from "../db/identifier.ts"
import { truth } from "./evaluate.ts"
import type { ShapeLog } from "./ShapeLog.ts"
import type { SnapshotChunks } from "./SnapshotChunks.ts"
import type { ValueSet } from "./ValueSet.ts"

/** Inner values by the SQL that selects them. */
export type ValueSets = ReadonlyMap<string, ValueSet>

/** A shape in service. */
export interface Shape {
  readonly handle: string
  readonly request: DefinitionRequest
  readonly definition: Definition
  readonly snapshot: SnapshotChunks
  readonly log: ShapeLog
  /** The highest number given out before it was; no marker of its streams is below. */
  readonly bornAt: number
  sets: ValueSets
  /**
   * While the snapshot is being made: SQL that is true of rows it holds already. Changes of other rows are not told, because
   * the snapshot will show them. `null` once the snapshot is complete.
   */
  readTo: string | null
  /** Called once when there is more to read or the shape is void. */
  readonly waiters: Set<() => void>
  /** True once a request has asked for an event stream. */
  hasStreams: boolean
  /** True once the handle is void. */
  isVoid: boolean
  /** When a request last used it; milliseconds. */
  lastUsedAt: number
}

/** Lets everybody go who waits on a shape. */
export const wake = (shape: Shape): void => {
  const waiters = [...shape.waiters]
  shape.waiters.clear()
  for (const waiter of waiters) waiter()
}

/** The expressions Postgres evaluates per row for the literals of a condition with subqueries; none for other conditions. */
export interface RowExpressions {
  /** By position: the truth of a plain literal; `null` for a subquery. */
  readonly truths: ReadonlyArray<string | null>
  /** By position: canonical values of the left side of a subquery; `null` for a plain literal. */
  readonly left: ReadonlyArray<ReadonlyArray<string> | null>
}

export const rowExpressions = (definition: Definition): RowExpressions => {
  const form = definition.normalForm
  if (form === null) return { truths: [], left: [] }
  return {
    truths: form.literals.map((literal) => (literal.kind === "plain" ? truth(literal.sql) : null)),
    left: form.literals.map((literal) =>
      literal.kind === "plain"
        ? null
        : literal.subquery.left.map((column) => canonicalSql(column, quoteIdent(column.name))),
    ),
  }
}

/** All of them, in a fixed order. */
export const flatExpressions = (expressions: RowExpressions): ReadonlyArray<string> => [
  ...expressions.truths.filter((sql) => sql !== null),
  ...expressions.left.flatMap((columns) => columns ?? []),
]

/** What must be `t` of a row beside its equalities for a shape without subqueries to hold it. */
export const plainConditions = (shape: Shape): ReadonlyArray<string> =>
  [shape.definition.residual, shape.readTo].filter((sql) => sql !== null).map(truth)

/** What Postgres evaluates over the changed rows of a shape. */
export const expressionsToTell = (shape: Shape): ReadonlyArray<string> =>
  shape.definition.normalForm === null
    ? plainConditions(shape)
    : flatExpressions(rowExpressions(shape.definition))

/** Tables whose changes concern a shape's inner values. */
export const dependenciesOf = (definition: Definition): ReadonlySet<string> =>
  new Set(
    (definition.normalForm?.literals ?? []).flatMap((literal) =>
      literal.kind === "subquery" ? literal.subquery.dependencies : [],
    ),
  )

/** The distinct selections of inner values of a shape. */
export const valueSelections = (definition: Definition): ReadonlyArray<string> => [
  ...new Set(
    (definition.normalForm?.literals ?? []).flatMap((literal) =>
      literal.kind === "subquery" ? [literal.subquery.valuesSql] : [],
    ),
  ),
]
