/**
 * The inner values of one subquery as the engine last told its shape, with Postgres's three-valued IN over them: only
 * "true" counts. Keeps the whole set in memory. Pure but for its own contents.
 */
import type { Text, TextRow } from "../db/Database.ts"

const keyOf = (row: TextRow): string =>
  row.length === 1 && typeof row[0] === "string" ? row[0] : JSON.stringify(row)

/** Distinguishes the one-column key of a text from the JSON key of a row with NULLs. */
const scopedKey = (row: TextRow): string => `${row.length === 1 && row[0] !== null ? "t" : "j"}${keyOf(row)}`

/** A set of inner values. */
export class ValueSet {
  readonly #rows = new Map<string, TextRow>()
  readonly #partial: Array<TextRow> = []

  constructor(rows: Iterable<TextRow>) {
    for (const row of rows) {
      this.#rows.set(scopedKey(row), row)
      if (row.includes(null)) this.#partial.push(row)
    }
  }

  get size(): number {
    return this.#rows.size
  }

  /** Whether some value has a NULL in it. */
  get hasNulls(): boolean {
    return this.#partial.length > 0
  }

  values(): ReadonlyArray<TextRow> {
    return [...this.#rows.values()]
  }

  /** Values of this set that are not in `other`. */
  minus(other: ValueSet): ReadonlyArray<TextRow> {
    return [...this.#rows].flatMap(([key, row]) => (other.#rows.has(key) ? [] : [row]))
  }

  /** Whether `left IN (set)` is true. */
  isIn(left: TextRow): boolean {
    return !left.includes(null) && this.#rows.has(scopedKey(left))
  }

  /** Whether `left NOT IN (set)` is true: every comparison must be false, none unknown. */
  isNotIn(left: TextRow): boolean {
    if (this.#rows.size === 0) return true
    if (!left.includes(null))
      return !this.#rows.has(scopedKey(left)) && !this.#partial.some((row) => mayEqual(left, row))
    return !this.values().some((row) => mayEqual(left, row))
  }
}

/** Whether comparing two rows is not false: no pair of known parts differs. */
const mayEqual = (a: TextRow, b: TextRow): boolean =>
  a.every((value, index) => sameOrUnknown(value, b[index] ?? null))

const sameOrUnknown = (a: Text, b: Text): boolean => a === null || b === null || a === b
