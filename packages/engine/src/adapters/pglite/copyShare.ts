/**
 * Rows of a first snapshot by `COPY` in binary, straight into the local table and, where rows need entries, into provenance: the fastest way there is. Exists for
 * rows that are new, and lets Postgres be the judge: the primary keys refuse a row that is there already, the savepoint undoes
 * the attempt, and the caller takes the way that can argue. Called by `appendShare.ts`.
 */
import type { Put } from "../store/fold.ts"
import type { TagState } from "../store/tags.ts"
import { addHeld, type Applying, storedVersion } from "./applying.ts"
import { sqlState } from "./errors.ts"
import { addCounts } from "./session.ts"
import type { PlanColumn, TablePlan } from "./sql.ts"
import type { ByteWriter } from "./wire/ByteWriter.ts"
import { type BinaryType, binaryTypes } from "./wire/encoders.ts"

/** Rows per message: bounds its size, and how long one step keeps readers waiting. */
export const rowsPerCopy = 5_000
/** Bytes of one CopyData message at most, but for a row that is larger. */
const frameBytes = 60_000
const uniqueViolation = "23505"

export interface CopyOptions {
  /** The rows were looked up, and nobody holds them. */
  readonly checked?: boolean
  /** Provenance entries are written too. */
  readonly entries?: boolean
}

/**
 * Copies all rows when they are a first snapshot's and new. False when nothing was done. An instance that has met rows of others is
 * only tried with rows that were looked up.
 */
export const copyRows = async (
  applying: Applying,
  puts: ReadonlyArray<Put>,
  { checked = false, entries = true }: CopyOptions = {},
): Promise<boolean> => {
  const { instance, plan, tx } = applying
  const { raw } = tx
  const [first] = puts
  if (raw === null || first === undefined || puts.length < tx.fewestCopied || instance.complete) return false
  if ((!checked && tx.overlapping.has(instance.id)) || !isPlain(plan, puts, first)) return false
  const { snapshot } = await storedVersion(applying, first.version)
  raw.push("savepoint copying", [])
  for (let from = 0; from < puts.length; from += rowsPerCopy) {
    const rows = puts.slice(from, from + rowsPerCopy)
    try {
      let whole = true
      await raw.send((message) => {
        whole = writeApp(message, plan, rows) && (!entries || writeHeld(message, applying, rows, snapshot))
        if (!whole) message.clear()
      })
      if (whole) continue
    } catch (error) {
      if (sqlState(error) !== uniqueViolation) throw error
      tx.overlapping.add(instance.id)
    }
    await raw.exec("rollback to savepoint copying; release savepoint copying")
    return false
  }
  raw.push("release savepoint copying", [])
  addCounts(applying.changes, plan.def.name, { inserted: puts.length })
  addHeld(applying, puts.length)
  return true
}

/** Copies rows and, if asked, their tags into a table of the store's own. False when a value has no binary form: nothing is sent then. */
export const copyInto = async (
  { plan, tx }: Applying,
  target: { readonly table: string },
  puts: ReadonlyArray<Put>,
): Promise<boolean> => {
  let whole = true
  await tx.raw?.send((message) => {
    whole = writeApp(message, plan, puts, target.table, true)
    if (!whole) message.clear()
  })
  return whole
}

/** One version for all, every column sent, every type known in binary. */
export const isPlain = (plan: TablePlan, puts: ReadonlyArray<Put>, first: Put): boolean =>
  first.version._tag === "Snapshot" &&
  plan.columns.every(({ type }) => type in binaryTypes) &&
  puts.every(
    ({ values, version }) =>
      version === first.version && plan.columns.every(({ name }) => Object.hasOwn(values, name)),
  )

interface Encoded {
  readonly column: PlanColumn
  readonly type: BinaryType
}

const encoded = (columns: ReadonlyArray<PlanColumn>): ReadonlyArray<Encoded> =>
  columns.flatMap((column) => {
    const type = binaryTypes[column.type]
    return type === undefined ? [] : [{ column, type }]
  })

const writeApp = (
  message: ByteWriter,
  plan: TablePlan,
  puts: ReadonlyArray<Put>,
  table = plan.app,
  tagged = false,
): boolean => {
  const columns = encoded(plan.columns)
  const names = plan.columns.map(({ quoted }) => quoted)
  if (tagged) names.push(plan.own.tags, plan.own.active)
  const sql = `copy ${table} (${names.join(", ")}) from stdin with (format binary)`
  return writeRows(message, sql, puts, ({ tags, values }) => {
    message.int16(names.length)
    for (const { column, type } of columns) {
      const text = values[column.name] ?? null
      if (text === null) message.int32(-1)
      else if (!type.encode(message, text, column.name)) return false
    }
    if (tagged) writeTags(message, tags)
    return true
  })
}

const writeHeld = (
  message: ByteWriter,
  { instance, plan }: Applying,
  puts: ReadonlyArray<Put>,
  snapshot: number | null,
): boolean => {
  const { own } = plan
  const keys = encoded(plan.keys)
  const tagged = puts.some(({ tags }) => tags !== null)
  const names = [...plan.keys.map(({ quoted }) => quoted), own.instance, own.writer, own.snapshot]
  if (tagged) names.push(own.tags, own.active)
  const sql = `copy ${plan.held} (${names.join(", ")}) from stdin with (format binary)`
  return writeRows(message, sql, puts, ({ key, tags }) => {
    message.int16(names.length)
    for (const [index, { column, type }] of keys.entries())
      if (!type.encode(message, key[index] ?? "", column.name)) return false
    for (const value of [instance.id, instance.id, snapshot]) {
      message.int32(value === null ? -1 : 4)
      if (value !== null) message.int32(value)
    }
    if (tagged) writeTags(message, tags)
    return true
  })
}

const writeTags = (message: ByteWriter, state: TagState | null): void => {
  if (state === null) {
    message.int32(-1)
    message.int32(-1)
    return
  }
  writeArray(message, 25, state.tags, (tag) => message.text(tag, "tags"))
  writeArray(message, 16, state.active, (active) => {
    message.int32(1)
    message.byte(active ? 1 : 0)
  })
}

const writeArray = <Item>(
  message: ByteWriter,
  oid: number,
  items: ReadonlyArray<Item>,
  write: (item: Item) => void,
): void => {
  const start = message.length
  message.int32(0)
  message.int32(items.length === 0 ? 0 : 1)
  message.int32(0)
  message.int32(oid)
  if (items.length > 0) {
    message.int32(items.length)
    message.int32(1)
    items.forEach(write)
  }
  message.setInt32(start, message.length - start - 4)
}

const writeRows = <Row>(
  message: ByteWriter,
  sql: string,
  rows: ReadonlyArray<Row>,
  write: (row: Row) => boolean,
): boolean => writeCopy(message, sql, (next) => rows.every((row) => write(row) && next()))

/** `PGCOPY\n\xff\r\n\0`, no flags, no extension. */
const header = Uint8Array.from([80, 71, 67, 79, 80, 89, 10, 255, 13, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0])

/** Writes a COPY; `write` writes the rows and calls `next` behind each. False when `write` gives up. */
export const writeCopy = (
  message: ByteWriter,
  sql: string,
  write: (next: () => true) => boolean,
): boolean => {
  const query = message.begin("Q")
  message.cString(sql)
  message.end(query)
  let frame = message.begin("d")
  message.raw(header)
  const next = (): true => {
    if (message.length - frame >= frameBytes) {
      message.end(frame)
      frame = message.begin("d")
    }
    return true
  }
  if (!write(next)) return false
  message.int16(-1)
  message.end(frame)
  message.end(message.begin("c"))
  return true
}
