/**
 * Tags: what tells a client, per row and per disjunct, which inner values made the row visible. Hashes name a value
 * without showing it and are bound to the handle, so they die with it (protocol reference §6.1). Pure.
 */
import { createHash } from "node:crypto"
import type { Text, TextRow } from "../db/Database.ts"
import type { NormalForm } from "../where/conditions.ts"

/** Part of every hash; the value real Electric uses when it serves one database. */
const stackId = "single_stack"

const encodeValue = (value: Text): string => (value === null ? "NULL" : `v:${value}`)

/** The hash of one inner value. For a row-valued left side, `columns` are the names of its columns. */
export const hashValue = (handle: string, columns: ReadonlyArray<string>, values: TextRow): string => {
  const text =
    columns.length === 1
      ? encodeValue(values[0] ?? null)
      : columns.map((name, index) => `${name}:${encodeValue(values[index] ?? null)}`).join("")
  return createHash("md5").update(`${stackId}${handle}${text}`).digest("hex")
}

/** What a row says about each literal: its truth, and for subqueries the canonical values of the left side. */
export interface RowFacts {
  readonly truths: ReadonlyArray<boolean>
  readonly left: ReadonlyArray<TextRow | null>
}

/** One tag per disjunct; slots outside the disjunct are empty, plain predicates are `1`. */
export const tagsOf = (form: NormalForm, handle: string, facts: RowFacts): ReadonlyArray<string> =>
  form.disjuncts.map((positions) =>
    form.literals
      .map((literal, position) => {
        if (!positions.includes(position)) return ""
        if (literal.kind === "plain") return "1"
        const columns = literal.subquery.left.map((column) => column.name)
        return hashValue(handle, columns, facts.left[position] ?? [])
      })
      .join("/"),
  )

/** Whether some disjunct has all its literals true. */
export const isVisible = (form: NormalForm, truths: ReadonlyArray<boolean>): boolean =>
  form.disjuncts.some((positions) => positions.every((position) => truths[position] === true))
