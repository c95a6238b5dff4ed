/**
 * The rows of one shape: who belongs to it, and how a row looks on the wire, tags included. Pure over the database as it is now;
 * used by the shape logs only.
 */
import type { RowKey } from "../../adapters/store/rowKey.ts"
import type { MovePattern, TextRow } from "../../protocol/Message.ts"
import type { ModelDatabase, Version } from "./ModelDatabase.ts"
import { project, type Selection, tupleOf } from "./selection.ts"

/** A row of a shape; `tuple` holds the values of its edge, null without a subquery. */
export interface Member {
  readonly key: RowKey
  readonly version: Version
  readonly tuple: string | null
}

/** Values an edge may have; null without a subquery. */
export type EdgeValues = ReadonlySet<string> | null

/** The row as a member, or null when it does not belong. */
export const memberOf = (
  { inner, matches }: Selection,
  key: RowKey,
  version: Version,
  values: EdgeValues,
): Member | null => {
  if (!matches(version.row)) return null
  if (inner === null) return { key, version, tuple: null }
  const tuple = tupleOf(version.row, inner.columns)
  return tuple !== null && values?.has(tuple) === true ? { key, version, tuple } : null
}

/** Rows that belong now. */
export const queryMembers = (
  database: ModelDatabase,
  selection: Selection,
  values: EdgeValues,
): ReadonlyArray<Member> => {
  const { from } = selection.table
  const members: Array<Member> = []
  for (const row of database.read(from)) {
    const key = database.keyOf(from, row)
    const version = database.version(from, key)
    const member = version === null ? null : memberOf(selection, key, version, values)
    if (member !== null) members.push(member)
  }
  return members
}

/** The columns of the shape. */
export const rowOf = ({ table }: Selection, member: Member): TextRow => project(table, member.version.row)

/** The primary key alone. */
export const keyColumns = ({ table }: Selection, row: TextRow): TextRow =>
  Object.fromEntries(table.primaryKey.map((column) => [column, row[column] ?? null]))

/** Depends on the handle, as the real hashes do: tags of another handle mean nothing. */
const hashOf = (handle: string, tuple: string): string => `${handle}:${tuple.replaceAll("/", "%2F")}`

/** Patterns of a move. */
export const patternsOf = (handle: string, values: ReadonlySet<string>): ReadonlyArray<MovePattern> =>
  [...values].map((value) => ({ pos: 0, value: hashOf(handle, value) }))

/** What a row of a subquery shape carries: the edge's hash first, then a slot for each condition beside it. */
export const tagsOf = (
  handle: string,
  selection: Selection,
  tuple: string | null,
): { readonly tags?: ReadonlyArray<string>; readonly activeConditions?: ReadonlyArray<boolean> } => {
  if (tuple === null) return {}
  const slots = [hashOf(handle, tuple), ...Array.from({ length: selection.conditions }, () => "1")]
  return { tags: [slots.join("/")], activeConditions: slots.map(() => true) }
}

export const difference = (left: ReadonlySet<string>, right: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...left].filter((value) => !right.has(value)))

export const sameSet = (left: ReadonlySet<string>, right: EdgeValues): boolean =>
  right !== null && left.size === right.size && [...left].every((value) => right.has(value))
