/**
 * Writes the messages of the wire from rows (protocol reference §3). The only place that knows keys, which columns an
 * operation carries, and the headers of each kind. Pure.
 */
import { Control, MoveEvent, Operation } from "@espalier/engine/wire"
import type { Text } from "../db/Database.ts"
import type { Definition } from "./Definition.ts"

/** Tags and conditions of one row of a subquery shape. */
export interface Membership {
  readonly tags: ReadonlyArray<string>
  readonly conditions: ReadonlyArray<boolean>
}

/** A row by column name, all columns of the table. */
export type Row = ReadonlyMap<string, Text>

/** Headers that only log entries have. */
export interface LogHeaders {
  readonly lsn: string
  readonly op_position: number
  readonly txids: ReadonlyArray<number>
}

/** The `key` of a row: quoted relation and key values, `/` doubled, NULL as `_`. */
export const keyOf = (definition: Definition, row: Row): string => {
  const { schema, name, keyColumns } = definition.table
  const parts = keyColumns.map((column) => {
    const value = row.get(column) ?? null
    return value === null ? "_" : `"${value.replaceAll("/", "//")}"`
  })
  return [`"${schema.replaceAll('"', '""')}"."${name.replaceAll('"', '""')}"`, ...parts].join("/")
}

const relationOf = (definition: Definition): readonly [string, string] => [
  definition.table.schema,
  definition.table.name,
]

const membershipHeaders = (membership: Membership | null): Record<string, unknown> =>
  membership === null ? {} : { tags: membership.tags, active_conditions: membership.conditions }

const select = (definition: Definition, row: Row, keep: (name: string) => boolean): Record<string, Text> => {
  const value: Record<string, Text> = {}
  for (const { name } of definition.columns) {
    if (keep(name)) value[name] = row.get(name) ?? null
  }
  return value
}

const all = (): boolean => true

const isKey =
  (definition: Definition) =>
  (name: string): boolean =>
    definition.table.keyColumns.includes(name)

/** A row of a snapshot, one that moved in, or one of a subset, which carries the subset's `mark`. */
export const snapshotRow = (
  definition: Definition,
  row: Row,
  membership: Membership | null,
  isMoveIn: boolean,
  mark?: number,
): object => ({
  key: keyOf(definition, row),
  value: select(definition, row, all),
  headers: {
    operation: Operation.insert,
    relation: relationOf(definition),
    ...membershipHeaders(membership),
    ...(isMoveIn ? { is_move_in: true } : {}),
    ...(mark === undefined ? {} : { snapshot_mark: mark }),
  },
})

/** A change message whose `last` may still be set. */
export interface ChangeMessage {
  readonly key: string
  readonly value: Record<string, Text>
  readonly old_value?: Record<string, Text>
  readonly headers: Record<string, unknown>
}

export const insertMessage = (
  definition: Definition,
  row: Row,
  membership: Membership | null,
  log: LogHeaders,
  keyChangeFrom?: string,
): ChangeMessage => ({
  key: keyOf(definition, row),
  value: select(definition, row, all),
  headers: {
    operation: Operation.insert,
    relation: relationOf(definition),
    ...log,
    ...membershipHeaders(membership),
    ...(keyChangeFrom === undefined ? {} : { key_change_from: keyChangeFrom }),
  },
})

export const deleteMessage = (
  definition: Definition,
  row: Row,
  membership: Membership | null,
  log: LogHeaders,
  keyChangeTo?: string,
): ChangeMessage => ({
  key: keyOf(definition, row),
  value: select(definition, row, definition.replica === "full" ? all : isKey(definition)),
  headers: {
    operation: Operation.delete,
    relation: relationOf(definition),
    ...log,
    ...membershipHeaders(membership),
    ...(keyChangeTo === undefined ? {} : { key_change_to: keyChangeTo }),
  },
})

const sameList = (a: ReadonlyArray<unknown>, b: ReadonlyArray<unknown>): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index])

/** An update, or `null` when nothing the shape tells has changed. */
export const updateMessage = (
  definition: Definition,
  before: Row,
  after: Row,
  memberships: { readonly before: Membership; readonly after: Membership } | null,
  log: LogHeaders,
): ChangeMessage | null => {
  const changed = new Set(
    definition.columns.flatMap(({ name }) => (before.get(name) === after.get(name) ? [] : [name])),
  )
  const sameMembership =
    memberships === null ||
    (sameList(memberships.before.tags, memberships.after.tags) &&
      sameList(memberships.before.conditions, memberships.after.conditions))
  if (changed.size === 0 && sameMembership) return null
  const keep =
    definition.replica === "full" ? all : (name: string) => changed.has(name) || isKey(definition)(name)
  const removed = memberships?.before.tags.filter((tag) => !memberships.after.tags.includes(tag))
  return {
    key: keyOf(definition, after),
    value: select(definition, after, keep),
    ...(definition.replica === "full"
      ? { old_value: select(definition, before, (name) => changed.has(name)) }
      : {}),
    headers: {
      operation: Operation.update,
      relation: relationOf(definition),
      ...log,
      ...membershipHeaders(memberships?.after ?? null),
      ...(removed === undefined ? {} : { removed_tags: removed }),
    },
  }
}

/** A move of inner values at one or more positions. */
export const moveEvent = (
  direction: "in" | "out",
  patterns: ReadonlyArray<{ readonly pos: number; readonly value: string }>,
  txids: ReadonlyArray<number>,
): object => ({
  headers: { event: direction === "in" ? MoveEvent.moveIn : MoveEvent.moveOut, patterns, txids },
})

/** What a snapshot saw. */
export interface Visibility {
  readonly xmin: string
  readonly xmax: string
  readonly xip_list: ReadonlyArray<string>
}

export const snapshotEndMessage = (visibility: Visibility): object => ({
  headers: { control: Control.snapshotEnd, ...visibility },
})

export const upToDate = (lsn: number): string =>
  JSON.stringify({ headers: { control: Control.upToDate, global_last_seen_lsn: String(lsn) } })

/** The body of every 409. */
export const mustRefetchBody = JSON.stringify([{ headers: { control: Control.mustRefetch } }])
