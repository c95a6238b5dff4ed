/**
 * The rows every suite works with: seven columns, about 250 bytes as CSV, values as Postgres text, the same for every run. A
 * message is what a shape's log carries after `JSON.parse`. Pure.
 */
import { seeded } from "@espalier/engine/testing"
import type { ChangeMessage, Message } from "@espalier/engine/protocol"

/** Columns of the wide table and their types, in order. */
export const wideColumns = {
  id: "uuid",
  company_id: "uuid",
  user_id: "uuid",
  role: "text",
  settings: "jsonb",
  created_at: "timestamptz",
  updated_at: "timestamptz",
} as const

export const wideTable = "company_members"
export type WideRow = Readonly<Record<keyof typeof wideColumns, string>>

/** The table as an app would declare it. */
export const wideDdl = (name: string): string =>
  `create table ${name} (${Object.entries(wideColumns)
    .map(([column, type]) => `${column} ${type}`)
    .join(", ")}, primary key (id))`

const roles = ["member", "admin", "owner", 'viewer, "read only"']

const uuidFrom = (next: () => number): string => {
  const word = (): string =>
    Math.floor(next() * 4_294_967_296)
      .toString(16)
      .padStart(8, "0")
  const hex = word() + word() + word() + word()
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}

const generatorOf = (shape: number): (() => number) => seeded(shape * 7919 + 1).next

/** The company of every row of a shape. */
export const companyOf = (shape: number): string => uuidFrom(generatorOf(shape))

/** `count` rows; `shape` sets them apart from those of other shapes. */
export const wideRows = (count: number, shape = 0): ReadonlyArray<WideRow> => {
  const next = generatorOf(shape)
  const uuid = (): string => uuidFrom(next)
  const digit = (limit: number): number => Math.floor(next() * limit)
  const stamp = (): string =>
    `2024-0${1 + digit(9)}-1${digit(10)} 0${digit(10)}:12:${10 + digit(50)}.${100_000 + digit(900_000)}+00`
  const company = uuid()
  return Array.from({ length: count }, (_, index) => ({
    id: uuid(),
    company_id: company,
    user_id: uuid(),
    role: roles[index % roles.length] ?? "member",
    settings: `{"theme": "dark", "n": ${index}, "tags": ["a", "b\\"c"]}`,
    created_at: stamp(),
    updated_at: stamp(),
  }))
}

const relation = ["public", wideTable]
const keyOf = (id: string): string => `"public"."${wideTable}"/"${id}"`

/** Rows as a snapshot sends them. */
export const snapshotOf = (rows: ReadonlyArray<WideRow>): ReadonlyArray<ChangeMessage> =>
  rows.map((value) => ({ key: keyOf(value.id), value, headers: { operation: "insert", relation } }))

/** The end of a snapshot. */
export const snapshotEndAt = (xmax: number): Message => ({
  headers: { control: "snapshot-end", xmin: String(xmax), xmax: String(xmax), xip_list: [] },
})

/** A log entry: `values` besides the id. */
export const logEntry = (
  operation: "insert" | "update" | "delete",
  id: string,
  values: Readonly<Record<string, string>>,
  lsn: number,
  position: number,
): ChangeMessage => ({
  key: keyOf(id),
  value: { id, ...values },
  headers: { operation, relation, lsn: String(lsn), op_position: position, txids: [lsn] },
})
