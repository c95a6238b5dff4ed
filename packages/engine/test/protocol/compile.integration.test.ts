/** What the compiler writes, run by Postgres: the same rows as the naive oracle, on the server's tables and locally. */
import { PGlite } from "@electric-sql/pglite"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { graph } from "../../examples/workspaces.graph.ts"
import {
  and,
  eq,
  Graph,
  type GraphData,
  isIn,
  isNull,
  ne,
  not,
  or,
  param,
  client,
} from "../../src/graph/index.ts"
import {
  compileInstance,
  localQuery,
  localTableDdl,
  ownership,
  quoteIdent,
} from "../../src/protocol/compile.ts"
import { serverTable } from "../../src/graph/identifiers.ts"
import { naiveRows, type NaiveRow, type NaiveTables } from "../support/naiveRows.ts"
import { seeded, type Seeded } from "../../src/testing/random.ts"

let pg: PGlite
beforeAll(async () => {
  pg = await PGlite.create()
})
afterAll(() => pg.close())
beforeEach(async () => {
  await pg.exec(
    'drop schema if exists public cascade; drop schema if exists "Odd Name" cascade; create schema public',
  )
})

/** Columns per server table: the union of what the local tables declare. */
const serverColumns = (of: GraphData): ReadonlyMap<string, Map<string, string>> => {
  const tables = new Map<string, Map<string, string>>()
  for (const table of Object.values(of.tables)) {
    const columns = tables.get(table.from) ?? new Map<string, string>()
    for (const [column, { type }] of Object.entries(table.columns)) columns.set(column, type)
    tables.set(table.from, columns)
  }
  return tables
}

const insert = async (
  name: string,
  types: ReadonlyMap<string, string>,
  rows: ReadonlyArray<NaiveRow>,
): Promise<void> => {
  const columns = [...types.keys()]
  for (const row of rows) {
    const values = columns.map((column, index) => `$${index + 1}::text::${types.get(column)}`)
    await pg.query(
      `insert into ${name} (${columns.map(quoteIdent).join(", ")}) values (${values.join(", ")})`,
      columns.map((column) => row[column] ?? null),
    )
  }
}

const createServer = async (of: GraphData, rows: NaiveTables): Promise<void> => {
  for (const [from, columns] of serverColumns(of)) {
    const definitions = [...columns].map(([column, type]) => `${quoteIdent(column)} ${type}`)
    await pg.exec(`create table ${serverTable(from)} (${definitions.join(", ")})`)
    await insert(serverTable(from), columns, rows[from] ?? [])
  }
}

/** Local tables with every row of the server, which is more than one user's rows: the query alone must choose. */
const createLocal = async (of: GraphData, rows: NaiveTables): Promise<void> => {
  for (const table of Object.values(of.tables)) {
    for (const statement of localTableDdl(of, table.name)) await pg.exec(statement)
    const types = new Map(Object.entries(table.columns).map(([column, { type }]) => [column, type]))
    await insert(quoteIdent(table.name), types, rows[table.from] ?? [])
  }
}

const keysOf = (rows: ReadonlyArray<object>): ReadonlyArray<string> =>
  rows.map((row) => String(Object.entries(row).find(([column]) => column === "id")?.[1])).sort()

const serverRows = async (
  table: string,
  where: string | undefined,
  params: Readonly<Record<string, string>>,
) => {
  const result = await pg.query<object>(
    `select id::text from ${table} where ${where ?? "true"}`,
    Object.keys(params).map((index) => params[index]),
  )
  return keysOf(result.rows)
}

const localRows = async (query: ReturnType<typeof localQuery>) => {
  const result = await pg.query<object>(`select id::text from ${query.from} where ${query.where}`, [
    ...query.params,
  ])
  return keysOf(result.rows)
}

const demoRows = (
  random: Seeded,
  users: ReadonlyArray<string>,
  companies: ReadonlyArray<string>,
): NaiveTables => {
  const filled = (columns: Readonly<Record<string, string>>): NaiveRow => ({ id: random.uuid(), ...columns })
  const many = (count: number, row: () => NaiveRow) => Array.from({ length: count }, row)
  const groups = many(8, () => filled({ company_id: random.pick(companies) }))
  const workspaces = many(8, () => filled({ company_id: random.pick(companies) }))
  const idOf = (rows: ReadonlyArray<NaiveRow>) => random.pick(rows)["id"] ?? ""
  return {
    users: users.map((id) => ({ id })),
    companies: companies.map((id) => ({ id })),
    company_members: many(12, () =>
      filled({ company_id: random.pick(companies), user_id: random.pick(users) }),
    ),
    user_groups: groups,
    user_group_members: many(12, () => filled({ group_id: idOf(groups), user_id: random.pick(users) })),
    workspaces,
    folders: many(16, () => filled({ workspace_id: idOf(workspaces) })),
  }
}

describe("on random rows of the demo", () => {
  it.each([1, 2, 3])("each instance selects what the oracle selects, seed %i", async (seed) => {
    const random = seeded(seed)
    const users = Array.from({ length: 5 }, random.uuid)
    const companies = Array.from({ length: 4 }, random.uuid)
    const params = { userId: random.pick(users) }
    const rows = demoRows(random, users, companies)
    const cases = Object.keys(graph.nodes).flatMap((node) => {
      const [bound] = ownership(graph, node).bindings
      return bound === undefined
        ? [{ node, bindings: {} }]
        : companies.map((company) => ({ node, bindings: { [bound.binding]: company } }))
    })

    await createServer(graph, rows)
    for (const { bindings, node } of cases) {
      const { definition } = compileInstance(graph, node, bindings, params)
      const expected = keysOf(naiveRows({ graph, rows, bindings, params }, node))
      expect(await serverRows(definition.table, definition.where, definition.params), node).toEqual(expected)
    }

    await pg.exec("drop schema public cascade; create schema public")
    await createLocal(graph, rows)
    for (const { bindings, node } of cases) {
      const expected = keysOf(naiveRows({ graph, rows, bindings, params }, node))
      expect(await localRows(localQuery(graph, node, bindings, params)), node).toEqual(expected)
    }
  })
})

const odd = Graph.make({
  name: "odd",
  params: { state: client("text"), least: client("int4") },
  tables: {
    order: {
      from: "Odd Name.Order",
      columns: { id: "int8", tenant: "text", region: "text", State: "text?", n: "int4?", live: "bool?" },
      primaryKey: ["id"],
      indexes: [["tenant", "region"], ["State"]],
    },
    line: {
      columns: { id: "int8", tenant: "text", region: "text", note: "text?", n: "int4?" },
      primaryKey: ["id"],
    },
    note: { columns: { id: "int8", line_id: "int8", n: "int4?", note: "text?" }, primaryKey: ["id"] },
  },
  nodes: {
    orders: {
      table: "order",
      where: or(eq("State", param("state")), eq("live", true), eq("n", param("least"))),
      key: "orders",
    },
    lines: {
      table: "line",
      parent: "orders",
      on: { tenant: "tenant", region: "region" },
      where: not(and(eq("note", "it's"), isNull("n"))),
      key: "lines-{tenant}-{region}",
    },
    notes: {
      table: "note",
      parent: "lines",
      on: { line_id: "id" },
      per: "orders",
      where: or(isIn("n", [1, 2]), eq("note", "x"), not(ne("note", "y"))),
      key: "notes-{tenant}-{region}",
    },
    everything: {
      table: "note",
      parent: "lines",
      on: { line_id: "id" },
      per: "root",
      where: and(or(eq("n", 1), eq("note", "x")), not(isIn("n", [2, 3]))),
      key: "everything",
    },
  },
})

const oddRows = (random: Seeded): NaiveTables => {
  const some = (...values: ReadonlyArray<string>) => (random.chance(0.3) ? null : random.pick(values))
  const ids = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1))
  const place = () => ({ tenant: random.pick(["a'b", "c-d"]), region: random.pick(["eu", "us"]) })
  return {
    "Odd Name.Order": ids(12).map((id) => ({
      id,
      ...place(),
      State: some("open", "shut"),
      n: some("1", "2"),
      live: some("true", "false"),
    })),
    line: ids(30).map((id) => ({ id, ...place(), note: some("it's", "x"), n: some("1", "2") })),
    note: ids(60).map((id) => ({
      id,
      line_id: String(random.below(30) + 1),
      n: some("1", "2", "3"),
      note: some("x", "y", "z"),
    })),
  }
}

describe("on capitals, keywords, tuples, NULLs and OR", () => {
  it.each([11, 12, 13, 14])("each instance selects what the oracle selects, seed %i", async (seed) => {
    const random = seeded(seed)
    const rows = oddRows(random)
    const params = { state: "open", least: "2" }
    const bound = { tenant: random.pick(["a'b", "c-d"]), region: "eu" }
    const cases = [
      { node: "orders", bindings: {} },
      { node: "lines", bindings: bound },
      { node: "notes", bindings: bound },
      { node: "everything", bindings: {} },
    ]
    await pg.exec('create schema "Odd Name"')
    await createServer(odd, rows)
    for (const { bindings, node } of cases) {
      const { definition } = compileInstance(odd, node, bindings, params)
      const expected = keysOf(naiveRows({ graph: odd, rows, bindings, params }, node))
      expect(await serverRows(definition.table, definition.where, definition.params), node).toEqual(expected)
    }
    await pg.exec("drop schema public cascade; create schema public")
    await createLocal(odd, rows)
    for (const { bindings, node } of cases) {
      const expected = keysOf(naiveRows({ graph: odd, rows, bindings, params }, node))
      expect(await localRows(localQuery(odd, node, bindings, params)), node).toEqual(expected)
    }
  })

  it("local tables refuse no NULL outside the key and are created twice without harm", async () => {
    for (const statement of localTableDdl(odd, "order")) await pg.exec(statement)
    for (const statement of localTableDdl(odd, "order")) await pg.exec(statement)
    await pg.exec(`insert into "order" (id) values (1)`)
    const indexes = await pg.query(`select indexname from pg_indexes where tablename = 'order'`)
    expect(indexes.rows).toHaveLength(3)
    await expect(pg.exec(`insert into "order" (id) values (1)`)).rejects.toThrow("duplicate key")
  })
})
