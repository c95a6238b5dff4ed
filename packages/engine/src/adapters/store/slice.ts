/**
 * The part of a shape that a local row shows: columns which equal a constant in every row of an instance. Exists because a table whose
 * instances differ in such a column needs no provenance per row (docs/decisions/005): the row itself says whose it is. Reads only
 * what the compiler writes and gives up on anything else. Pure; called by the PGlite store.
 */
import type { TableDef } from "../../graph/Table.ts"
import type { TextRow } from "../../protocol/Message.ts"
import type { Instance } from "../../protocol/Shape.ts"
import { canonicalPlain, checkText, hasPlainText } from "./rowKey.ts"

/** Canonical constants by column, in the order of the condition; empty when the shape says nothing of the kind. */
export type Slice = Readonly<Record<string, string>>

/** Words that bind a condition more loosely than AND, or that hide an AND of their own. */
const notConjunctive = /\b(?:or|between|case|union|select)\b/i
const equality = /^(?:"((?:[^"]|"")+)"|([a-z_][a-z0-9_]*)) = \$(\d+)$/

/** The conjuncts of a condition; null when it cannot be taken apart for certain. */
const conjunctsOf = (where: string): ReadonlyArray<string> | null => {
  const parts: Array<string> = []
  let depth = 0
  let quote = ""
  let start = 0
  for (let index = 0; index < where.length; index += 1) {
    const char = where.charAt(index)
    if (quote !== "") {
      if (char === quote) quote = ""
    } else if (char === `"` || char === "'") quote = char
    else if (char === "(") depth += 1
    else if (char === ")") depth -= 1
    else if (char === "$" && where.charAt(index + 1) === "$") return null
    else if (depth === 0 && where.startsWith(" AND ", index)) {
      parts.push(where.slice(start, index))
      start = index + 5
    }
  }
  parts.push(where.slice(start))
  const outside = where.replaceAll(/"(?:[^"]|"")*"/g, "")
  return depth === 0 && quote === "" && !notConjunctive.test(withoutGroups(outside)) ? parts : null
}

const withoutGroups = (text: string): string => {
  let depth = 0
  let rest = ""
  for (const char of text) {
    if (char === "(") depth += 1
    if (depth === 0) rest += char
    if (char === ")") depth -= 1
  }
  return rest
}

/** What an instance's shape says of each of its rows. Tagged shapes say nothing: what their rows are is decided elsewhere. */
export const sliceOf = (table: TableDef, instance: Instance): Slice => {
  const { params, where } = instance.definition
  if (where === undefined || instance.tagged) return {}
  const slice: Record<string, string> = {}
  for (const part of conjunctsOf(where) ?? []) {
    const match = equality.exec(part)
    if (match === null) continue
    const column = match[1]?.replaceAll('""', '"') ?? match[2] ?? ""
    const type = Object.hasOwn(table.columns, column) ? table.columns[column]?.type : undefined
    const text = params[match[3] ?? ""]
    if (type !== undefined && text !== undefined && isExact(type, column, text))
      slice[column] = canonicalPlain(type, text)
  }
  return slice
}

/** Equal texts are equal values, and the other way round. */
const isExact = (type: string, column: string, text: string): boolean => {
  if (!hasPlainText.has(type)) return false
  try {
    checkText(type, column, text)
    return true
  } catch {
    return false
  }
}

/** Whether the values of a row belong to the slice; `undefined` values (not sent) do not speak against it. */
export const fitsSlice = (table: TableDef, slice: Slice, values: TextRow): boolean => {
  for (const column in slice) {
    const text = values[column]
    if (text === undefined || text === slice[column]) continue
    if (text === null || canonicalPlain(table.columns[column]?.type ?? "text", text) !== slice[column])
      return false
  }
  return true
}

/**
 * Slices of the instances of one table. Knows whether each is alone or told from all others by one column: exact then, and cheap for
 * any number of instances.
 */
export class Slices {
  readonly #slices = new Map<number, Slice>()
  /** Instances by column and constant, and by column. */
  readonly #counts = new Map<string, Map<string, number>>()
  readonly #totals = new Map<string, number>()

  get size(): number {
    return this.#slices.size
  }

  entries(): Iterable<readonly [number, Slice]> {
    return this.#slices.entries()
  }

  get(id: number): Slice | undefined {
    return this.#slices.get(id)
  }

  add(id: number, slice: Slice): void {
    this.remove(id)
    this.#slices.set(id, slice)
    for (const [column, value] of Object.entries(slice)) {
      const values = this.#counts.get(column) ?? new Map<string, number>()
      values.set(value, (values.get(value) ?? 0) + 1)
      this.#counts.set(column, values)
      this.#totals.set(column, (this.#totals.get(column) ?? 0) + 1)
    }
  }

  remove(id: number): void {
    const known = this.#slices.get(id)
    if (known === undefined) return
    this.#slices.delete(id)
    for (const [column, value] of Object.entries(known)) {
      const values = this.#counts.get(column)
      const count = (values?.get(value) ?? 0) - 1
      if (count > 0) values?.set(value, count)
      else values?.delete(value)
      this.#totals.set(column, (this.#totals.get(column) ?? 0) - 1)
    }
  }

  /** No row can belong both to `slice` and to an instance that is here. */
  isApart(slice: Slice): boolean {
    if (this.#slices.size === 0) return true
    return Object.entries(slice).some(
      ([column, value]) =>
        this.#totals.get(column) === this.#slices.size && this.#counts.get(column)?.has(value) !== true,
    )
  }

  /** The instance a row belongs to, by its values; at most one when all are apart. */
  ownerOf(values: TextRow): number | null {
    for (const [id, slice] of this.#slices) {
      if (Object.entries(slice).every(([column, value]) => values[column] === value)) return id
    }
    return null
  }
}
