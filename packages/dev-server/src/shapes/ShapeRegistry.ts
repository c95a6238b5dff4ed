/**
 * The shapes in service, found by handle, by identity and by the changes that concern them. Shapes whose condition asks
 * `column = constant` are filed under the constant, so a change costs what the shapes it concerns cost, however many
 * others there are. Changed only by the engine, after a commit; knows nothing of SQL.
 */
import type { RowChange } from "../capture/Capture.ts"
import type { Rows } from "./Rows.ts"
import { dependenciesOf, type Shape } from "./Shape.ts"
import { bytesOf } from "./stored.ts"
import type { TellTransaction } from "./tell.ts"

/** The shapes over one table. */
class TableShapes {
  readonly all = new Set<Shape>()
  /** Shapes every change of the table concerns. */
  readonly scanned = new Set<Shape>()
  /** By column and text of the constant. */
  readonly byConstant = new Map<string, Map<string, Set<Shape>>>()

  add(shape: Shape): void {
    this.all.add(shape)
    const [equality] = shape.definition.equalities
    if (equality === undefined) this.scanned.add(shape)
    else fileUnder(fileUnderMap(this.byConstant, equality.column), equality.value).add(shape)
  }

  remove(shape: Shape): void {
    this.all.delete(shape)
    this.scanned.delete(shape)
    const [equality] = shape.definition.equalities
    const values = equality === undefined ? undefined : this.byConstant.get(equality.column)
    if (equality === undefined || values === undefined) return
    values.get(equality.value)?.delete(shape)
    if (values.get(equality.value)?.size === 0) values.delete(equality.value)
    if (values.size === 0) this.byConstant.delete(equality.column)
  }

  /** The shapes a change concerns. */
  concerned(change: RowChange, rows: Rows): ReadonlySet<Shape> {
    const [first] = this.all
    if (this.byConstant.size === 0 || first === undefined) return this.scanned
    const found = new Set(this.scanned)
    const images = [change.oldRow, change.newRow]
      .filter((literal) => literal !== null)
      .map((literal) => rows.of(first.definition.table, literal))
    for (const [column, values] of this.byConstant) {
      for (const row of images) {
        const value = row.get(column) ?? null
        for (const shape of (value === null ? undefined : values.get(value)) ?? []) found.add(shape)
      }
    }
    return found
  }
}

const fileUnder = (map: Map<string, Set<Shape>>, key: string): Set<Shape> => {
  const known = map.get(key) ?? new Set<Shape>()
  map.set(key, known)
  return known
}

const fileUnderMap = (map: Map<string, Map<string, Set<Shape>>>, key: string): Map<string, Set<Shape>> => {
  const known = map.get(key) ?? new Map<string, Set<Shape>>()
  map.set(key, known)
  return known
}

/** All shapes of a server. */
export class ShapeRegistry {
  readonly #byHandle = new Map<string, Shape>()
  readonly #byIdentity = new Map<string, Shape>()
  readonly #byTable = new Map<string, TableShapes>()
  /** By table their inner values come from. */
  readonly #dependents = new Map<string, Set<Shape>>()

  get size(): number {
    return this.#byHandle.size
  }

  /** Requests waiting over all shapes. */
  get waiterCount(): number {
    let count = 0
    for (const shape of this.#byHandle.values()) count += shape.waiters.size
    return count
  }

  values(): IterableIterator<Shape> {
    return this.#byHandle.values()
  }

  find(handle: string): Shape | undefined {
    return this.#byHandle.get(handle)
  }

  /** The shape in service under an identity. */
  withIdentity(identity: string): Shape | undefined {
    return this.#byIdentity.get(identity)
  }

  /** The shapes to give up so that the limits hold: those nobody waits on, the least recently used first. */
  excess(maxShapes: number, maxBytes: number): ReadonlyArray<Shape> {
    let [count, bytes] = [this.#byHandle.size, 0]
    for (const shape of this.#byHandle.values()) bytes += bytesOf(shape)
    if (count <= maxShapes && bytes <= maxBytes) return []
    const idle = [...this.#byHandle.values()].filter((shape) => shape.waiters.size === 0)
    const leaving: Array<Shape> = []
    for (const shape of idle.sort((a, b) => a.lastUsedAt - b.lastUsedAt)) {
      if (count <= maxShapes && bytes <= maxBytes) break
      leaving.push(shape)
      count -= 1
      bytes -= bytesOf(shape)
    }
    return leaving
  }

  add(shape: Shape): void {
    const { definition } = shape
    this.#byHandle.set(shape.handle, shape)
    this.#byIdentity.set(definition.identity, shape)
    const table = this.#byTable.get(definition.table.oid) ?? new TableShapes()
    this.#byTable.set(definition.table.oid, table)
    table.add(shape)
    for (const relation of dependenciesOf(definition)) fileUnder(this.#dependents, relation).add(shape)
  }

  remove(shape: Shape): void {
    const { definition } = shape
    this.#byHandle.delete(shape.handle)
    if (this.#byIdentity.get(definition.identity) === shape) this.#byIdentity.delete(definition.identity)
    const table = this.#byTable.get(definition.table.oid)
    table?.remove(shape)
    if (table?.all.size === 0) this.#byTable.delete(definition.table.oid)
    for (const relation of dependenciesOf(definition)) {
      const dependents = this.#dependents.get(relation)
      dependents?.delete(shape)
      if (dependents?.size === 0) this.#dependents.delete(relation)
    }
  }

  /** The shapes over a table. */
  over(relation: string): ReadonlySet<Shape> {
    return this.#byTable.get(relation)?.all ?? new Set()
  }

  /** The shapes over tables, and those that take inner values from them. */
  touching(relations: Iterable<string>): ReadonlySet<Shape> {
    const found = new Set<Shape>()
    for (const relation of relations) {
      for (const shape of this.over(relation)) found.add(shape)
      for (const shape of this.#dependents.get(relation) ?? []) found.add(shape)
    }
    return found
  }

  /**
   * The shapes that transactions concern, each with the changes of its table that can matter to it. A shape whose inner
   * tables were touched gets the transactions whole.
   */
  concerned(
    transactions: ReadonlyArray<TellTransaction>,
    rows: Rows,
  ): ReadonlyMap<Shape, ReadonlyArray<TellTransaction>> {
    const found = new Map<Shape, Array<OpenTransaction>>()
    for (const transaction of transactions) {
      for (const change of transaction.changes) {
        const table = this.#byTable.get(change.relation)
        for (const shape of table?.concerned(change, rows) ?? []) note(found, shape, transaction, change)
      }
    }
    const concerned = new Map<Shape, ReadonlyArray<TellTransaction>>(found)
    for (const relation of touchedBy(transactions)) {
      for (const shape of this.#dependents.get(relation) ?? []) concerned.set(shape, transactions)
    }
    return concerned
  }
}

interface OpenTransaction extends TellTransaction {
  readonly changes: Array<RowChange>
}

const note = (
  found: Map<Shape, Array<OpenTransaction>>,
  shape: Shape,
  transaction: TellTransaction,
  change: RowChange,
): void => {
  const known = found.get(shape)
  const last = known?.at(-1)
  if (last?.lsn === transaction.lsn) last.changes.push(change)
  else if (known === undefined) found.set(shape, [{ ...transaction, changes: [change] }])
  else known.push({ ...transaction, changes: [change] })
}

/** Tables that were written or emptied. */
export const touchedBy = (transactions: ReadonlyArray<TellTransaction>): ReadonlySet<string> => {
  const touched = new Set<string>()
  for (const { changes, truncated } of transactions) {
    for (const { relation } of changes) touched.add(relation)
    for (const relation of truncated) touched.add(relation)
  }
  return touched
}
