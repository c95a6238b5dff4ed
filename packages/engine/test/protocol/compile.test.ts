/** What the compiler makes of the demo graph, of deeper paths and of bad input. */
import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { graph } from "../../examples/workspaces.graph.ts"
import { and, client, col, eq, Graph, isIn, isNull, not, or, param, sql } from "../../src/graph/index.ts"
import {
  CompileError,
  compileInstance,
  localQuery,
  localTableDdl,
  ownedBy,
  ownership,
  schemaVersion,
  tableVersion,
} from "../../src/protocol/compile.ts"

const userId = "5ee78a10-0000-4000-8000-000000000001"
const company = "c0c0c0c0-0000-4000-8000-000000000007"
const params = { userId }

const thrownBy = (run: () => unknown): CompileError => {
  try {
    run()
  } catch (error) {
    if (error instanceof CompileError) return error
    throw error
  }
  throw new Error("nothing was thrown")
}

/** Node → binding name, key, table, where, the value of `$1`, definition hash. */
const demo: ReadonlyArray<
  readonly [node: string, binding: string | null, key: string, table: string, where: string, hash: string]
> = [
  ["user", null, `user-${userId}`, "users", "id = $1", "45f097b40f512554982184bce3e1cad9"],
  [
    "memberships",
    null,
    `user-${userId}-memberships`,
    "company_members",
    "user_id = $1",
    "b9d8be29ae7766e90bdf8cfc93da8395",
  ],
  ["companies", "id", `company-${company}`, "companies", "id = $1", "50d4d3eb9dc0f4af6bff37f98ea17c61"],
  [
    "members",
    "company_id",
    `company-${company}-members`,
    "company_members",
    "company_id = $1",
    "d2a006272d4b3711557659d3a05eb311",
  ],
  [
    "people",
    "company_id",
    `company-${company}-people`,
    "users",
    "id IN (SELECT user_id FROM company_members WHERE company_id = $1)",
    "394c2a272b9f70ac94fd8e811f52025d",
  ],
  [
    "groups",
    "company_id",
    `company-${company}-groups`,
    "user_groups",
    "company_id = $1",
    "65636f341f2056c5d81b22495fa1f968",
  ],
  [
    "groupMembers",
    "company_id",
    `company-${company}-group-members`,
    "user_group_members",
    "group_id IN (SELECT id FROM user_groups WHERE company_id = $1)",
    "399e01194770a3ab4a00b34faef1eef5",
  ],
  [
    "workspaces",
    "company_id",
    `company-${company}-workspaces`,
    "workspaces",
    "company_id = $1",
    "8022218cc6213d892feeb994e53e21d9",
  ],
  [
    "folders",
    "company_id",
    `company-${company}-folders`,
    "folders",
    "workspace_id IN (SELECT id FROM workspaces WHERE company_id = $1)",
    "648215c63e8f189105d6bd7a75e74cab",
  ],
]

describe("the demo graph", () => {
  it.each(demo)("compiles %s", (node, binding, key, table, where, hash) => {
    const bindings = binding === null ? {} : { [binding]: company }
    const instance = compileInstance(graph, node, bindings, params)
    expect(instance.key).toBe(key)
    expect(instance.definition.table).toBe(table)
    expect(instance.definition.where).toBe(where)
    expect(instance.definition.params).toEqual({ 1: binding === null ? userId : company })
    expect(instance.definition.columns).toEqual(Object.keys(graph.tables[instance.table]?.columns ?? {}))
    expect(instance.tagged).toBe(where.includes("SELECT"))
    expect(instance.hash).toBe(hash)
  })

  it("identifies an instance by the SHA-256 of its canonical definition", () => {
    const canonical =
      '{"definition":{"columns":["id","name","avatar_url"],"log":"full","params":{"1":"' +
      company +
      '"},"replica":"default","table":"users","where":"id IN (SELECT user_id FROM company_members WHERE company_id = $1)"},' +
      '"primaryKey":["id"],"table":"people"}'
    const digest = createHash("sha256").update(canonical).digest("hex").slice(0, 32)
    expect(compileInstance(graph, "people", { company_id: company }, params).hash).toBe(digest)
  })

  it("covers every node", () => {
    expect(demo.map(([node]) => node)).toEqual(Object.keys(graph.nodes))
  })

  it("names the owner and the bound columns of each node", () => {
    expect(ownership(graph, "user")).toEqual({ owner: null, bindings: [] })
    expect(ownership(graph, "companies")).toEqual({
      owner: "memberships",
      bindings: [{ binding: "id", column: "company_id" }],
    })
    expect(ownership(graph, "people")).toEqual({
      owner: "companies",
      bindings: [{ binding: "company_id", column: "id" }],
    })
    expect(ownedBy(graph, "companies")).toEqual([
      "members",
      "people",
      "groups",
      "groupMembers",
      "workspaces",
      "folders",
    ])
    expect(ownedBy(graph, "groups")).toEqual([])
  })

  it("gives people narrower columns than users", () => {
    const people = compileInstance(graph, "people", { company_id: company }, params)
    expect(people.table).toBe("people")
    expect(people.definition.columns).toEqual(["id", "name", "avatar_url"])
  })

  it("spells a value one way whatever the caller's spelling", () => {
    const upper = compileInstance(graph, "members", { company_id: company.toUpperCase() }, params)
    expect(upper).toEqual(compileInstance(graph, "members", { company_id: company }, params))
  })

  it("makes local tables of columns, key and plain indexes only", () => {
    expect(localTableDdl(graph, "folders")).toEqual([
      'create table if not exists "folders" ("id" uuid, "workspace_id" uuid, "name" text, "position" int4, ' +
        '"created_at" timestamptz, "updated_at" timestamptz, primary key ("id"))',
      'create index if not exists "folders_workspace_id_idx" on "folders" ("workspace_id")',
    ])
  })
})

const base = {
  name: "base",
  params: { chosen: client("text") },
  tables: {
    orders: {
      from: "Sales.Order",
      columns: { id: "int8", tenant: "text", region: "text", state: "text?", order: "int4?", live: "bool" },
      primaryKey: ["id"],
    },
    lines: {
      columns: { id: "int8", order_id: "int8", tenant: "text", region: "text", note: "text?" },
      primaryKey: ["id"],
    },
    notes: { columns: { id: "int8", line_id: "int8", body: "text" }, primaryKey: ["id"] },
  },
} as const

const paths = Graph.make({
  ...base,
  nodes: {
    orders: { table: "orders", where: eq("tenant", param("chosen")), key: "orders-{chosen}" },
    lines: {
      table: "lines",
      parent: "orders",
      on: { tenant: "tenant", region: "region" },
      where: or(isNull("note"), eq("note", "it's; drop table x")),
      key: "lines-{tenant}-{region}",
    },
    notes: {
      table: "notes",
      parent: "lines",
      on: { line_id: "id" },
      per: "orders",
      key: "notes-{tenant}-{region}",
    },
    allLines: {
      table: "lines",
      parent: "orders",
      on: { tenant: "tenant", region: "region" },
      per: "root",
      where: and(or(isNull("note"), eq("note", "x")), isIn("id", [1, 2]), not(eq("id", 3))),
      key: "all-lines",
    },
    template: {
      table: "orders",
      where: and(sql`${col("order")} + ${1} > ${2} or ${col("live")} = ${true}`, eq("live", true)),
      key: "template",
    },
  },
})

describe("deeper graphs", () => {
  const bindings = { tenant: "acme-1", region: "eu" }

  it("bind several columns", () => {
    const lines = compileInstance(paths, "lines", bindings, {})
    expect(lines.key).toBe("lines-acme%2D1-eu")
    expect(lines.definition.where).toBe("tenant = $1 AND region = $2 AND (note IS NULL OR note = $3)")
    expect(lines.definition.params).toEqual({ 1: "acme-1", 2: "eu", 3: "it's; drop table x" })
  })

  it("compile the path to the owner, with the filters on it", () => {
    const notes = compileInstance(paths, "notes", bindings, {})
    expect(notes.definition.where).toBe(
      "line_id IN (SELECT id FROM lines WHERE tenant = $1 AND region = $2 AND (note IS NULL OR note = $3))",
    )
    expect(notes.tagged).toBe(true)
  })

  it("compile the path to the root, and keep what the server would take apart false instead of NULL beside it", () => {
    const all = compileInstance(paths, "allLines", {}, { chosen: "acme" })
    expect(all.definition.where).toBe(
      '(tenant, region) IN (SELECT tenant, region FROM "Sales"."Order" WHERE tenant = $1) ' +
        "AND ((note IS NULL OR note = $2) IS TRUE) AND ((id IN ($3, $4)) IS TRUE) AND (NOT (id = $5))",
    )
    expect(Object.values(all.definition.params)).toEqual(["acme", "x", "1", "2", "3"])
  })

  it("quote only what needs it, and put every interpolation of a template into a parameter", () => {
    const template = compileInstance(paths, "template", {}, {})
    expect(template.definition.table).toBe('"Sales"."Order"')
    expect(template.definition.where).toBe('("order" + $1 > $2 or live = $3) AND live = $4')
  })

  it("change the hash with the filter, the columns, the local table and the primary key, not with the key", () => {
    const variant = (change: object, node: object = {}): string => {
      const tables = { ...base.tables, orders: { ...base.tables.orders, ...change } }
      const nodes = { orders: { table: "orders", where: eq("tenant", "a"), key: "orders", ...node } }
      return compileInstance(Graph.fromSpec({ ...base, tables, nodes }), "orders", {}, {}).hash
    }
    const plain = variant({})
    expect(variant({}, { key: "other", priority: 9 })).toBe(plain)
    const others = [
      variant({}, { where: eq("tenant", "b") }),
      variant({}, { where: eq("region", "a") }),
      variant({ columns: { ...base.tables.orders.columns, extra: "text" } }),
      variant({ from: "Sales.Order2" }),
      variant({ primaryKey: ["id", "tenant"] }),
    ]
    expect(new Set([plain, ...others]).size).toBe(6)
  })

  it("drop the path locally when no binding is given, and keep what is given", () => {
    expect(localQuery(paths, "notes", {}, {})).toEqual({ from: '"notes"', where: "true", params: [] })
    expect(localQuery(paths, "lines", { region: "eu" }, {})).toEqual({
      from: '"lines"',
      where: '"region" = $1::text AND ("note" IS NULL OR "note" = $2::text)',
      params: ["eu", "it's; drop table x"],
    })
  })
})

describe("bad input", () => {
  it.each([
    ["an unknown node", () => compileInstance(graph, "nope", {}, params), "nodes.nope", "user, memberships"],
    [
      "a name every object has",
      () => compileInstance(graph, "constructor", {}, params),
      "nodes.constructor",
      "use",
    ],
    [
      "a missing binding",
      () => compileInstance(graph, "members", {}, params),
      "nodes.members.bindings.company_id",
      "pass",
    ],
    [
      "an unknown binding",
      () => compileInstance(graph, "members", { company_id: company, id: "1" }, params),
      "nodes.members.bindings.id",
      "company_id",
    ],
    [
      "a binding of the wrong type",
      () => compileInstance(graph, "members", { company_id: "1' or true" }, params),
      "nodes.members.bindings.company_id",
      "uuid",
    ],
    ["a missing param", () => compileInstance(graph, "user", {}, {}), "params.userId", "userId"],
    [
      "an unknown param",
      () => compileInstance(graph, "user", {}, { ...params, x: "1" }),
      "params.x",
      "userId",
    ],
    [
      "a param of the wrong type",
      () => compileInstance(graph, "user", {}, { userId: "root" }),
      "params.userId",
      "uuid",
    ],
    [
      "text with NUL",
      () => compileInstance(paths, "lines", { tenant: "a\0b", region: "" }, {}),
      "nodes.lines.bindings.tenant",
      "text",
    ],
    ["an unknown table", () => localTableDdl(graph, "nope"), "tables.nope", "people"],
    [
      "an unknown binding of a local query",
      () => localQuery(graph, "people", { id: company }, params),
      "nodes.people.bindings.id",
      "company_id",
    ],
  ])("is refused: %s", (_name, run, path, words) => {
    const error = thrownBy(run)
    expect(error.path).toBe(path)
    expect(error.message).toContain(words)
  })
})

describe("schema versions", () => {
  const tables = base.tables
  const version = (change: object): readonly [string, string] => {
    const changed = Graph.fromSpec({
      ...base,
      tables: { ...tables, notes: { ...tables.notes, ...change } },
      nodes: {},
    })
    return [schemaVersion(changed), tableVersion(changed, "notes")]
  }

  it("change with columns, types and the key", () => {
    const seen = [
      version({}),
      version({ columns: { ...tables.notes.columns, extra: "text" } }),
      version({ columns: { ...tables.notes.columns, body: "varchar" } }),
      version({ primaryKey: ["id", "line_id"] }),
    ]
    expect(new Set(seen.map(([graphVersion]) => graphVersion)).size).toBe(4)
    expect(new Set(seen.map(([, notes]) => notes)).size).toBe(4)
  })

  it("ignore nullability, indexes and the order of columns", () => {
    expect(
      version({ columns: { body: "text?", line_id: "int8", id: "int8" }, indexes: [["line_id"]] }),
    ).toEqual(version({}))
  })

  it("of one table do not change with another table", () => {
    const changed = Graph.fromSpec({ ...base, tables: { ...tables, extra: tables.lines }, nodes: {} })
    expect(tableVersion(changed, "notes")).toBe(version({})[1])
  })
})
