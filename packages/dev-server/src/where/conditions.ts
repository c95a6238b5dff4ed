/**
 * Brings a clause into the form its rows are tagged by: an OR of ANDs of literals, every literal occurrence with a
 * position of its own (protocol reference §6.1). NOT is pushed down to the literals first. Pure.
 */
import type { Subquery } from "./subquery.ts"
import type { ConstantEquality } from "./equality.ts"
import { whereError } from "./WhereError.ts"

/** A clause as connectives over literals. */
export type Condition =
  | { readonly kind: "and" | "or"; readonly parts: ReadonlyArray<Condition> }
  | { readonly kind: "not"; readonly part: Condition }
  | { readonly kind: "plain"; readonly sql: string; readonly equality?: ConstantEquality | null }
  | { readonly kind: "subquery"; readonly subquery: Subquery }

/** One literal at one position, negation included. */
export type Literal =
  | { readonly kind: "plain"; readonly sql: string }
  | { readonly kind: "subquery"; readonly subquery: Subquery; readonly isNegated: boolean }

/** An OR of ANDs. */
export interface NormalForm {
  /** By position. */
  readonly literals: ReadonlyArray<Literal>
  /** The positions of each disjunct. */
  readonly disjuncts: ReadonlyArray<ReadonlyArray<number>>
}

/** Electric's limit (protocol reference §5.2). */
export const maxDisjuncts = 100

/** @throws DefinitionError for too many disjuncts, or one subquery in both polarities. */
export const normalForm = (condition: Condition): NormalForm => {
  const literals: Array<Literal> = []
  const disjuncts = expand(condition, false).map((conjunction) =>
    conjunction.map((literal) => literals.push(literal) - 1),
  )
  refuseMixedPolarity(literals)
  return { literals, disjuncts }
}

const expand = (condition: Condition, negated: boolean): ReadonlyArray<ReadonlyArray<Literal>> => {
  switch (condition.kind) {
    case "not":
      return expand(condition.part, !negated)
    case "plain":
      return [[{ kind: "plain", sql: negated ? `(NOT ${condition.sql})` : condition.sql }]]
    case "subquery":
      return [[{ kind: "subquery", subquery: condition.subquery, isNegated: negated }]]
    case "and":
    case "or": {
      const parts = condition.parts.map((part) => expand(part, negated))
      const conjoins = (condition.kind === "and") !== negated
      return limited(conjoins ? parts.reduce(product, [[]]) : parts.flat())
    }
  }
}

const product = (
  left: ReadonlyArray<ReadonlyArray<Literal>>,
  right: ReadonlyArray<ReadonlyArray<Literal>>,
): ReadonlyArray<ReadonlyArray<Literal>> => limited(left.flatMap((a) => right.map((b) => [...a, ...b])))

const limited = <A>(disjuncts: ReadonlyArray<A>): ReadonlyArray<A> => {
  if (disjuncts.length > maxDisjuncts) {
    throw whereError(`WHERE clause normalises to more than ${maxDisjuncts} disjuncts`)
  }
  return disjuncts
}

const refuseMixedPolarity = (literals: ReadonlyArray<Literal>): void => {
  const polarity = new Map<string, boolean>()
  for (const literal of literals) {
    if (literal.kind !== "subquery") continue
    const seen = polarity.get(literal.subquery.valuesSql)
    if (seen !== undefined && seen !== literal.isNegated) {
      throw whereError(
        "a subquery dependency cannot be used with both positive and negative polarity in the same filter",
      )
    }
    polarity.set(literal.subquery.valuesSql, literal.isNegated)
  }
}
