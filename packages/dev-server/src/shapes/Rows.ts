/**
 * Captured row literals read once per round, however many shapes look at them. Holds what one round needs and is thrown
 * away with it.
 */
import type { Table } from "../db/catalog.ts"
import type { Row } from "./messages.ts"
import { toRow } from "./read.ts"

/** The rows of one round. */
export class Rows {
  readonly #byTable = new Map<string, Map<string, Row>>()

  /** The row a literal of `table` stands for. */
  of(table: Table, literal: string): Row {
    let known = this.#byTable.get(table.oid)
    if (known === undefined) this.#byTable.set(table.oid, (known = new Map()))
    let row = known.get(literal)
    if (row === undefined) known.set(literal, (row = toRow(table, literal)))
    return row
  }
}
