/**
 * Decides how the rows of one composable are read: in full, or by what was written since the last read. Keeps what the
 * last read gave and which tables were touched since. One per composable; `changedRows` does the arithmetic.
 */
import type { EngineClient } from "@espalier/worker"
import { holdRows, incrementalFromRows, markerSql, rowsSince, type HeldRows } from "./changedRows.ts"
import type { RowsAsk } from "./rowsQuery.ts"

export interface RowsReader<Row> {
  /** A commit touched these tables. */
  readonly touch: (tables: ReadonlyArray<string>) => void
  readonly read: (client: EngineClient, ask: RowsAsk) => Promise<ReadonlyArray<Row>>
}

export interface RowsReaderOptions {
  /** Every table of the graph: a notice that names them all means "anything may have changed". */
  readonly tables: ReadonlyArray<string>
  /** About how many rows there are; decides whether a marker is worth a query. */
  readonly size: () => number
}

interface Held {
  readonly client: EngineClient
  readonly ask: RowsAsk
  readonly rows: HeldRows
}

export const rowsReader = <Row extends object>(options: RowsReaderOptions): RowsReader<Row> => {
  let touched = new Set<string>()
  /** A notice named every table: this client may have missed some. */
  let everything = false
  let held: Held | null = null
  let wasLarge = false
  /** Only the read that began last may be remembered. */
  let turn = 0

  /** What was touched can only have changed the rows themselves, not which rows qualify by other tables. */
  const isOwnChange = (ask: RowsAsk, since: ReadonlySet<string>): boolean => {
    const concerned = ask.tables.filter((table) => since.has(table))
    return concerned.length === 1 && concerned[0] === ask.parts?.table
  }

  const readAll = async (client: EngineClient, ask: RowsAsk): Promise<HeldRows | ReadonlyArray<object>> => {
    const mayGrow = ask.parts !== null && (wasLarge || options.size() >= incrementalFromRows)
    const marker = mayGrow ? (await client.query<{ marker: string }>(markerSql))[0]?.marker : undefined
    const rows = await client.query<object>(ask.sql, ask.params)
    wasLarge = rows.length >= incrementalFromRows
    return wasLarge && marker !== undefined ? holdRows(rows, marker, ask.key) : rows
  }

  const readNow = async (
    client: EngineClient,
    ask: RowsAsk,
    former: Held | null,
    since: ReadonlySet<string>,
  ): Promise<HeldRows | ReadonlyArray<object>> => {
    if (former?.client === client && former.ask === ask && ask.parts !== null && isOwnChange(ask, since)) {
      const next = await rowsSince((sql, params) => client.query(sql, params), ask.parts, former.rows)
      if (next !== null) return next
    }
    return readAll(client, ask)
  }

  return {
    touch: (tables) => {
      if (options.tables.every((table) => tables.includes(table))) everything = true
      for (const table of tables) touched.add(table)
    },
    read: async (client, ask) => {
      const mine = (turn += 1)
      const [former, since] = [everything ? null : held, touched]
      // A read that fails leaves nothing to build on: the next one is in full.
      held = null
      touched = new Set()
      everything = false
      const read = await readNow(client, ask, former, since)
      if (!("marker" in read)) return read as ReadonlyArray<Row>
      if (turn === mine) held = { client, ask, rows: read }
      return read.rows as ReadonlyArray<Row>
    },
  }
}
