/** The incremental read against a real Postgres: whatever happens to a table, it says what a full read says. */
import { PGlite } from "@electric-sql/pglite"
import type { EngineClient } from "@espalier/worker"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { graph } from "../examples/graph.ts"
import { incrementalFromRows } from "../src/internal/changedRows.ts"
import { rowsQuery, type OrderInput, type RowsAsk } from "../src/internal/rowsQuery.ts"
import { rowsReader, type RowsReader } from "../src/internal/rowsReader.ts"

const company = "00000000-0000-4000-8000-0000000000c1"
const other = "00000000-0000-4000-8000-0000000000c2"
const id = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`
const rowCount = incrementalFromRows + 44

/** A repeatable sequence of numbers below a bound. */
const sequence = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

interface Bench {
  readonly ask: RowsAsk
  readonly reader: RowsReader<Record<string, unknown>>
  readonly client: EngineClient
  /** Times the whole result was asked for. */
  readonly fullReads: () => number
}

describe("the incremental read", () => {
  let db: PGlite
  beforeAll(async () => {
    db = await PGlite.create()
    await db.exec(`
      create table workspaces (id uuid primary key, company_id uuid, name text);
      create table folders (id uuid primary key, workspace_id uuid, name text, position int4, archived_at timestamptz);
    `)
  })
  afterAll(() => db.close())

  const fill = async (): Promise<void> => {
    await db.exec("truncate folders, workspaces")
    await db.query("insert into workspaces values ($1, $2, 'one'), ($3, $4, 'two')", [
      id(1),
      company,
      id(2),
      other,
    ])
    await db.query(
      "insert into folders select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, 'f' || n, n % 7, null from generate_series(100, $2::int) n",
      [id(1), 99 + rowCount],
    )
  }

  const bench = (input: { readonly orderBy?: OrderInput; readonly limit?: number } = {}): Bench => {
    const ask = rowsQuery(
      graph,
      {
        node: "folders",
        bindings: { company_id: company },
        where: { archived_at: null },
        orderBy: input.orderBy,
        limit: input.limit,
      },
      {},
    )
    let full = 0
    const query = async (
      sql: string,
      params: ReadonlyArray<unknown> = [],
    ): Promise<ReadonlyArray<object>> => {
      if (sql === ask.sql) full += 1
      return (await db.query<object>(sql, [...params])).rows
    }
    const reader = rowsReader<Record<string, unknown>>({
      tables: Object.keys(graph.tables),
      size: () => rowCount,
    })
    return { ask, reader, client: { query } as unknown as EngineClient, fullReads: () => full }
  }
  const truth = async (ask: RowsAsk): Promise<ReadonlyArray<object>> =>
    (await db.query<object>(ask.sql, [...ask.params])).rows

  it("reads one changed row of many and keeps every other row object", async () => {
    await fill()
    const { ask, reader, client, fullReads } = bench()
    const before = await reader.read(client, ask)
    await db.query("update folders set name = 'changed' where id = $1", [id(150)])
    reader.touch(["folders", "memberships"])
    const after = await reader.read(client, ask)
    expect(after).toEqual(await truth(ask))
    expect(after.filter((row, index) => row !== before[index])).toHaveLength(1)
    expect(fullReads()).toBe(1)
  })

  it("puts new and moved rows where the order wants them without reading the rest", async () => {
    await fill()
    const { ask, reader, client, fullReads } = bench({ orderBy: [["position", "desc"], "name"] })
    await reader.read(client, ask)
    await db.query("update folders set position = 99 where id in ($1, $2)", [id(150), id(151)])
    await db.query("insert into folders values ($1, $2, 'aaa', -1, null), ($3, $2, 'bbb', 3, null)", [
      id(9_000),
      id(1),
      id(9_001),
    ])
    reader.touch(["folders"])
    expect(await reader.read(client, ask)).toEqual(await truth(ask))
    expect(fullReads()).toBe(1)
  })

  it.each([
    ["a row that left", "delete from folders where id = $1"],
    ["a row that no longer qualifies", "update folders set archived_at = now() where id = $1"],
  ])("reads everything again after %s", async (_what, sql) => {
    await fill()
    const { ask, reader, client, fullReads } = bench()
    await reader.read(client, ask)
    await db.query(sql, [id(150)])
    // Another that comes at the same time must not hide the one that went.
    await db.query("insert into folders values ($1, $2, 'new', 1, null)", [id(9_000), id(1)])
    reader.touch(["folders"])
    expect(await reader.read(client, ask)).toEqual(await truth(ask))
    expect(fullReads()).toBe(2)
  })

  it("reads everything when another table of the condition was touched, and when notices may have been missed", async () => {
    await fill()
    const { ask, reader, client, fullReads } = bench()
    await reader.read(client, ask)
    await db.query("update workspaces set company_id = $1 where id = $2", [other, id(1)])
    reader.touch(["workspaces"])
    expect(await reader.read(client, ask)).toEqual([])
    await db.query("update workspaces set company_id = $1 where id = $2", [company, id(1)])
    reader.touch(Object.keys(graph.tables))
    expect(await reader.read(client, ask)).toEqual(await truth(ask))
    expect(fullReads()).toBe(3)
  })

  it("respects a limit that begins to bind", async () => {
    await fill()
    const { ask, reader, client } = bench({ limit: rowCount + 1 })
    await reader.read(client, ask)
    await db.query("insert into folders values ($1, $3, 'a', 1, null), ($2, $3, 'b', 1, null)", [
      id(8_000),
      id(8_001),
      id(1),
    ])
    reader.touch(["folders"])
    const rows = await reader.read(client, ask)
    expect(rows).toHaveLength(rowCount + 1)
    expect(rows).toEqual(await truth(ask))
  })

  it.each([1, 2, 3, 4, 5, 6])("agrees with the full read after any history (seed %i)", async (seed) => {
    await fill()
    const next = sequence(seed)
    const orders: ReadonlyArray<OrderInput> = ["id", [["position", "desc"], "name"], ["name"]]
    const { ask, reader, client, fullReads } = bench({ orderBy: orders[seed % orders.length] ?? "id" })
    await reader.read(client, ask)
    for (let step = 0; step < 25; step += 1) {
      for (let change = next(4); change >= 0; change -= 1) {
        const row = id(100 + next(rowCount + 20))
        const kind = next(8)
        if (kind < 3) await db.query("update folders set name = $2 where id = $1", [row, `n${next(50)}`])
        else if (kind < 5) await db.query("update folders set position = $2 where id = $1", [row, next(9)])
        else if (kind === 5)
          await db.query(
            "update folders set archived_at = case when archived_at is null then now() end where id = $1",
            [row],
          )
        else if (kind === 6) await db.query("delete from folders where id = $1", [row])
        else
          await db.query("insert into folders values ($1, $2, $3, $4, null) on conflict do nothing", [
            row,
            id(1),
            `i${next(50)}`,
            next(9),
          ])
      }
      reader.touch(["folders"])
      expect(await reader.read(client, ask)).toEqual(await truth(ask))
    }
    expect(fullReads()).toBeLessThan(26)
  })
})
