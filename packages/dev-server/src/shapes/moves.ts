/**
 * What a change of inner values means for a subquery shape: which values move out and in, and what is true in between.
 * "Between" is what the client holds after the move-outs and before the move-ins: a literal is true there iff it was true
 * before and is true after. Changes of rows are told against it, which is why a row deleted together with its last inner
 * value is told by the move-out alone (protocol reference §13.4). Pure.
 */
import type { TextRow } from "../db/Database.ts"
import type { Literal, NormalForm } from "../where/conditions.ts"
import type { ValueSets } from "./Shape.ts"
import { hashValue } from "./tags.ts"
import { ValueSet } from "./ValueSet.ts"

type SubqueryLiteral = Extract<Literal, { readonly kind: "subquery" }>

/** Values that changed sides at one position. */
export interface PositionMoves {
  readonly position: number
  readonly literal: SubqueryLiteral
  readonly out: ReadonlyArray<TextRow>
  readonly in: ReadonlyArray<TextRow>
}

const noValues = new ValueSet([])

/** Whether a subquery literal is true for a left side. */
export const literalTruth = (literal: SubqueryLiteral, sets: ValueSets, left: TextRow): boolean => {
  const set = sets.get(literal.subquery.valuesSql) ?? noValues
  return literal.isNegated ? set.isNotIn(left) : set.isIn(left)
}

/**
 * Whether the moved values cannot be read off the difference of the sets: NULLs make NOT IN depend on all values at once.
 */
export const needsLeftValues = (literal: SubqueryLiteral, before: ValueSets, after: ValueSets): boolean => {
  if (!literal.isNegated) return false
  const sets = [before, after].map((all) => all.get(literal.subquery.valuesSql) ?? noValues)
  const partlyNull =
    literal.subquery.left.length > 1 && literal.subquery.left.some((column) => column.isNullable)
  return sets.some((set) => set.hasNulls) || partlyNull
}

/** The moves at every position, given the left values of all rows where {@link needsLeftValues} asked for them. */
export const movesBetween = (
  form: NormalForm,
  before: ValueSets,
  after: ValueSets,
  leftValues: (position: number) => ReadonlyArray<TextRow>,
): ReadonlyArray<PositionMoves> =>
  form.literals.flatMap((literal, position) => {
    if (literal.kind !== "subquery") return []
    const was = before.get(literal.subquery.valuesSql) ?? noValues
    const is = after.get(literal.subquery.valuesSql) ?? noValues
    const emptied = literal.isNegated && (was.size === 0) !== (is.size === 0)
    const nulls: ReadonlyArray<TextRow> = emptied ? [literal.subquery.left.map(() => null)] : []
    const candidates = new ValueSet([
      ...was.minus(is),
      ...is.minus(was),
      ...nulls,
      ...leftValues(position),
    ]).values()
    const moved = candidates.map((value) => ({
      value,
      was: literalTruth(literal, before, value),
      is: literalTruth(literal, after, value),
    }))
    return [
      {
        position,
        literal,
        out: moved.filter((move) => move.was && !move.is).map((move) => move.value),
        in: moved.filter((move) => !move.was && move.is).map((move) => move.value),
      },
    ]
  })

/** The patterns of one direction, grouped by subquery: one event each. */
export const patternsOf = (
  handle: string,
  moves: ReadonlyArray<PositionMoves>,
  direction: "out" | "in",
): ReadonlyArray<ReadonlyArray<{ readonly pos: number; readonly value: string }>> => {
  const bySubquery = new Map<string, Array<{ readonly pos: number; readonly value: string }>>()
  for (const move of moves) {
    const columns = move.literal.subquery.left.map((column) => column.name)
    const patterns = move[direction].map((value) => ({
      pos: move.position,
      value: hashValue(handle, columns, value),
    }))
    if (patterns.length === 0) continue
    const known = bySubquery.get(move.literal.subquery.valuesSql)
    if (known === undefined) bySubquery.set(move.literal.subquery.valuesSql, patterns)
    else known.push(...patterns)
  }
  return [...bySubquery.values()]
}
