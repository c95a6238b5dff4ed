/** Every problem validation knows, each at its path; and graphs that are right although they look odd. */
import { describe, expect, it } from "vitest"
import { graph as demo } from "../../examples/workspaces.graph.ts"
import {
  and,
  eq,
  Graph,
  type GraphData,
  GraphInvalid,
  identity,
  isIn,
  isNull,
  not,
  or,
  param,
  sql,
  validateGraph,
} from "../../src/graph/index.ts"
import type { NodesInput, ParamsInput, TablesInput } from "../../src/graph/Graph.ts"
import type { Filter } from "../../src/graph/Filter.ts"
import type { TableInput } from "../../src/graph/Table.ts"

const things: TableInput = {
  columns: {
    id: "uuid",
    owner: "uuid",
    name: "text?",
    n: "int4",
    live: "bool",
    price: "numeric",
    meta: "jsonb",
    code: "varchar",
  },
  primaryKey: ["id"],
}
const owners: TableInput = {
  columns: { id: "uuid", name: "text", live: "bool", price: "numeric" },
  primaryKey: ["id"],
}
const root = { table: "owners", key: "owner" }

interface Parts {
  readonly name?: string
  readonly params?: ParamsInput
  readonly tables?: TablesInput
  readonly nodes?: NodesInput
}

const graphOf = ({ name = "g", nodes = {}, params = {}, tables = {} }: Parts): GraphData =>
  Graph.fromSpec({ name, params, tables: { things, owners, ...tables }, nodes: { root_: root, ...nodes } })

const table = (change: object): Parts => ({ tables: { extra: { ...things, from: "elsewhere", ...change } } })
const node = (change: object): Parts => ({ nodes: { a: { table: "things", key: "a", ...change } } })
const child = (change: object): Parts =>
  node({ parent: "root_", on: { owner: "id" }, key: "a-{owner}", ...change })
const where = (filter: Filter): Parts => ({
  ...node({ where: filter }),
  params: { user: identity("uuid"), unused: identity("text") },
})
/** A node two levels down, owned by `per`. */
const deep = (
  on: Record<string, string>,
  middle: Record<string, string>,
  key: string,
  per: string,
): Parts => ({
  nodes: {
    b: { table: "things", key: "b-{owner}", parent: "root_", on: { owner: "id" } },
    c: { table: "owners", key, parent: "b", on, per },
    ...(Object.keys(middle).length === 0
      ? {}
      : { d: { table: "things", key: "d-{id}", parent: "c", on: middle } }),
  },
})
const bytes64 = "x".repeat(64)

const cases: ReadonlyArray<readonly [name: string, parts: Parts, path: string, words: string]> = [
  ["a graph without a name", { name: "" }, "name", "no name"],
  [
    "an unknown param type",
    { params: { p: identity("uid" as "uuid") }, nodes: { a: { table: "owners", key: "a-{p}" } } },
    "params.p",
    "uid",
  ],
  [
    "an unknown param source",
    {
      params: { p: { type: "uuid", source: "url" as "client" } },
      nodes: { a: { table: "owners", key: "a-{p}" } },
    },
    "params.p",
    "source",
  ],
  [
    "an unusable param name",
    { params: { "p q": identity("uuid") }, nodes: { a: { table: "owners", key: "a-{p q}" } } },
    "params.p q",
    "usable",
  ],
  ["a param nothing uses", { params: { p: identity("uuid") } }, "params.p", "no filter and no key"],
  [
    "a table without columns",
    { tables: { extra: { columns: {}, primaryKey: ["id"] } } },
    "tables.extra.columns",
    "no columns",
  ],
  ["an unknown column type", table({ columns: { id: "string" } }), "tables.extra.columns.id", "string"],
  ["an empty column name", table({ columns: { id: "uuid", "": "text" } }), "tables.extra.columns.", "empty"],
  [
    "a column name of 64 bytes",
    table({ columns: { id: "uuid", [bytes64]: "text" } }),
    `tables.extra.columns.${bytes64}`,
    "64 bytes",
  ],
  ["an empty table name", { tables: { "": things } }, "tables.", "empty"],
  ["a server table of three parts", table({ from: "a.b.c" }), "tables.extra.from", "server table"],
  ["a server table of 64 bytes", table({ from: bytes64 }), "tables.extra.from", "64 bytes"],
  ["no primary key", table({ primaryKey: [] }), "tables.extra.primaryKey", "no primary key"],
  ["an unknown key column", table({ primaryKey: ["uid"] }), "tables.extra.primaryKey", "uid"],
  ["a nullable key column", table({ primaryKey: ["name"] }), "tables.extra.primaryKey", "nullable"],
  ["a key column twice", table({ primaryKey: ["id", "id"] }), "tables.extra.primaryKey", "twice"],
  ["an unknown index column", table({ indexes: [["id"], ["uid"]] }), "tables.extra.indexes.1", "uid"],
  ["an empty index", table({ indexes: [[]] }), "tables.extra.indexes.0", "no columns"],
  [
    "two primary keys for one server table",
    table({ from: "public.things", primaryKey: ["owner"] }),
    "tables.extra.primaryKey",
    "different primary keys",
  ],
  ["an unknown table", node({ table: "nope" }), "nodes.a.table", "nope"],
  ["an unknown parent", child({ parent: "nope" }), "nodes.a.parent", "nope"],
  ["a parent without an edge", node({ parent: "root_" }), "nodes.a.on", "no edge"],
  ["an edge without a parent", node({ on: { owner: "id" } }), "nodes.a.on", "no parent"],
  ["an owner without a parent", node({ per: "root_" }), "nodes.a.per", "no parent"],
  [
    "an unknown child column",
    child({ on: { owner: "id", zz: "id" } }),
    "nodes.a.on.zz",
    '"things" has no column "zz"',
  ],
  [
    "an unknown parent column",
    child({ on: { owner: "zz" } }),
    "nodes.a.on.owner",
    '"owners" has no column "zz"',
  ],
  ["a join of different types", child({ on: { owner: "name" } }), "nodes.a.on.owner", 'owner" is uuid'],
  [
    "a join on jsonb",
    {
      ...child({ on: { meta: "meta" }, key: "a-{meta}" }),
      tables: { owners: { ...owners, columns: { id: "uuid", meta: "jsonb" } } },
    },
    "nodes.a.on.meta",
    "cannot compare",
  ],
  ["an owner that is no node", child({ per: "nope" }), "nodes.a.per", "no node"],
  [
    "an owner that is no ancestor",
    { nodes: { ...child({ per: "b" }).nodes, b: { table: "owners", key: "b" } } },
    "nodes.a.per",
    "no ancestor",
  ],
  ["a boolean subquery column", deep({ live: "live" }, {}, "c-{id}", "root_"), "nodes.c.on.live", "bool"],
  ["a numeric subquery column", deep({ price: "price" }, {}, "c", "root"), "nodes.c.on.price", "numeric"],
  [
    "a varchar beside a text in a subquery",
    deep({ name: "code" }, {}, "c-{id}", "root_"),
    "nodes.c.on.name",
    "varchar",
  ],
  [
    "a cycle",
    {
      nodes: {
        b: { table: "things", key: "b-{id}", parent: "c", on: { id: "id" } },
        c: { table: "things", key: "c-{id}", parent: "b", on: { id: "id" } },
      },
    },
    "nodes.b.parent",
    "cycle: b → c → b",
  ],
  [
    "a node that is its own parent",
    { nodes: { b: { table: "things", key: "b-{id}", parent: "b", on: { id: "id" } } } },
    "nodes.b.parent",
    "b → b",
  ],
  ["the node name root", { nodes: { root: { table: "owners", key: "r" } } }, "nodes.root", "word"],
  ["an unknown policy", node({ sync: "never" }), "nodes.a.sync", "never"],
  ["an infinite priority", node({ priority: Infinity }), "nodes.a.priority", "Infinity"],
  ["a negative keepFor", node({ keepForMillis: -1 }), "nodes.a.keepForMillis", "-1"],
  ["a filter on an unknown column", where(eq("zz", 1)), "nodes.a.where", "zz"],
  [
    "a filter on an unknown column, deep inside",
    where(and(isNull("name"), or(eq("n", 1), not(isNull("zz"))))),
    "nodes.a.where.1.1",
    "zz",
  ],
  ["a filter with an unknown param", where(eq("id", param("zz"))), "nodes.a.where", "zz"],
  ["a param of another type", where(eq("n", param("user"))), "nodes.a.where", "declare the param as int4"],
  ["a value of another type", where(eq("n", "one")), "nodes.a.where", '"one" does not fit'],
  ["a number that is none", where(eq("n", Number.NaN)), "nodes.a.where", "does not fit"],
  ["a filter on jsonb", where(eq("meta", "{}")), "nodes.a.where", "jsonb"],
  [
    "an unknown operator",
    where({ _tag: "Compare", op: "~" as "=", column: "n", value: 1 }),
    "nodes.a.where",
    "operator",
  ],
  [
    "101 values in a list",
    where(
      isIn(
        "n",
        Array.from({ length: 101 }, (_, index) => index),
      ),
    ),
    "nodes.a.where",
    "101 values",
  ],
  ["an empty list", where(isIn("n", [])), "nodes.a.where", "empty"],
  ["an empty and", where(and()), "nodes.a.where", "without filters"],
  ["a template that numbers a param", where(sql`n = $1`), "nodes.a.where", "numbers a parameter"],
  ["a template with a semicolon", where(sql`true; drop table x`), "nodes.a.where", "semicolon"],
  ["a template with a comment", where(sql`true -- x`), "nodes.a.where", "comment"],
  ["a template with a subquery", where(sql`n in (select 1)`), "nodes.a.where", "subquery"],
  ["a template that leaves its parentheses", where(sql`true) or (true`), "nodes.a.where", "do not match"],
  ["a template that leaves its quotes", where(sql`name = 'x`), "nodes.a.where", "do not match"],
  ["an interpolation inside quotes", where(sql`name = '${"x"}'`), "nodes.a.where", "inside quotes"],
  ["an empty template", where(sql` `), "nodes.a.where", "empty"],
  ["an empty key", node({ key: "" }), "nodes.a.key", "empty"],
  ["a key with a brace too many", node({ key: "a-{b" }), "nodes.a.key", "braces"],
  ["an unknown placeholder", node({ key: "a-{zz}" }), "nodes.a.key", "no param and no bound column"],
  ["an unbound placeholder", node({ key: "a-{name}" }), "nodes.a.key", "nothing binds"],
  [
    "an ambiguous placeholder",
    { ...child({ key: "a-{id}" }), params: { id: identity("uuid") } },
    "nodes.a.key",
    "ambiguous",
  ],
  [
    "a binding that is missing in the key",
    child({ key: "a" }),
    "nodes.a.key",
    'different "owner" would share',
  ],
  [
    "placeholders that touch",
    { ...child({ key: "a-{owner}{user}" }), params: { user: identity("uuid") } },
    "nodes.a.key",
    "nothing separates",
  ],
  [
    "placeholders a value can bridge",
    { ...child({ key: "a-{user}x.{owner}" }), params: { user: identity("text") } },
    "nodes.a.key",
    "nothing separates",
  ],
  [
    "two nodes with one key",
    { nodes: { a: { table: "owners", key: "owner" } } },
    "nodes.a.key",
    'key of "root_"',
  ],
  [
    "a key that a value can spell",
    { ...node({ key: "own{user}" }), params: { user: identity("text") } },
    "nodes.a.key",
    'key of "root_"',
  ],
]

describe("validation finds", () => {
  it.each(cases)("%s", (_name, parts, path, words) => {
    const found = validateGraph(graphOf(parts)).filter((one) => one.path === path)
    expect(found.map(({ fix, message }) => `${message} ${fix}`).join("\n")).toContain(words)
    expect(found.every(({ fix }) => fix.length > 0)).toBe(true)
  })

  it("all problems at once, and says so in one error", () => {
    const all = Object.assign({}, ...cases.map(([, parts]) => parts.tables)) as TablesInput
    const nodes = Object.fromEntries(
      cases.flatMap(([, parts], index) =>
        parts.nodes?.["a"] === undefined ? [] : [[`n${index}`, parts.nodes["a"]]],
      ),
    )
    const make = () =>
      Graph.make({
        name: "all",
        tables: { things, owners, ...all },
        nodes: { root_: root, ...nodes },
      } as never)
    expect(make).toThrow(GraphInvalid)
    const problems = validateGraph(graphOf({ tables: all, nodes }))
    expect(problems.length).toBeGreaterThan(cases.length / 2)
  })
})

describe("validation accepts", () => {
  const accepted: ReadonlyArray<readonly [string, Parts]> = [
    ["the smallest graph", {}],
    ["a varchar bound by a text's value", child({ on: { code: "name" }, key: "a-{code}" })],
    ["a boolean bound by value", child({ on: { live: "live" }, key: "a-{live}" })],
    [
      "uuid keys that only a longer text tells apart",
      {
        nodes: {
          ...child({}).nodes,
          b: { table: "things", parent: "root_", on: { owner: "id" }, key: "a-{owner}-b" },
        },
      },
    ],
    ["a quoted server table", table({ from: '"My.Schema"."T"' })],
    [
      "the same key for one server table in another order",
      {
        tables: {
          x: { ...things, primaryKey: ["id", "owner"] },
          y: { ...things, from: "x", primaryKey: ["owner", "id"] },
          things,
        },
      },
    ],
    ["a column name of 63 bytes", table({ columns: { id: "uuid", [bytes64.slice(1)]: "text" } })],
    [
      "100 values in a list",
      node({
        where: isIn(
          "n",
          Array.from({ length: 100 }, (_, index) => index),
        ),
      }),
    ],
    [
      "quotes and the word select inside a literal",
      node({ where: sql`name = 'it''s; select --' and n > ${1}` }),
    ],
  ]
  it.each(accepted)("%s", (_name, parts) => {
    expect(validateGraph(graphOf(parts))).toEqual([])
  })

  it("the demo", () => {
    expect(validateGraph(demo)).toEqual([])
  })
})

describe("a table without a primary key", () => {
  const tables = { a: { columns: { id: "uuid" } } } as const
  const nodes = { a: { table: "a", key: "all" } } as const
  it("is keyed by id, declared or decoded", () => {
    expect(Graph.make({ name: "g", tables, nodes }).tables["a"]?.primaryKey).toEqual(["id"])
    expect(Graph.fromJson({ name: "g", params: {}, tables, nodes }).tables["a"]?.primaryKey).toEqual(["id"])
  })
  it("must have a column id", () => {
    expect(() => Graph.make({ name: "g", tables: { a: { columns: { key: "uuid" } } }, nodes })).toThrow(
      "primaryKey",
    )
  })
})

describe("a graph from JSON", () => {
  const invalid = (value: unknown): GraphInvalid => {
    try {
      Graph.fromJson(value)
    } catch (error) {
      if (error instanceof GraphInvalid) return error
      throw error
    }
    throw new Error("nothing was thrown")
  }
  const pathsOf = (value: unknown): ReadonlyArray<string> => invalid(value).problems.map(({ path }) => path)

  it("is the graph that was written", () => {
    expect(Graph.fromJson(JSON.parse(JSON.stringify(demo)))).toEqual(demo)
  })

  it("keeps every kind of filter and node", () => {
    const every = graphOf({
      params: { user: identity("uuid") },
      ...node({
        where: and(or(eq("n", 1), isNull("name")), not(isIn("code", ["x"])), sql`${param("user")} = id`),
      }),
    })
    expect(Graph.fromJson(JSON.parse(JSON.stringify(every)))).toEqual(every)
    const owned = graphOf(deep({ id: "owner" }, {}, "c", "root"))
    expect(Graph.fromJson(JSON.parse(JSON.stringify(owned)))).toEqual(owned)
  })

  it("may be written in shorthand", () => {
    const shorthand = {
      name: "s",
      tables: { t: { columns: { id: "uuid", n: "text?" }, primaryKey: ["id"] } },
      nodes: { t: { table: "t", key: "t" } },
    }
    expect(Graph.fromJson(shorthand).tables["t"]?.columns).toEqual({
      id: { type: "uuid", nullable: false },
      n: { type: "text", nullable: true },
    })
  })

  it.each([
    [null, ["graph", "name", "tables", "nodes"]],
    [[], ["graph", "name", "tables", "nodes"]],
    ["graph", ["graph", "name", "tables", "nodes"]],
    [{ name: 1, tables: {}, nodes: {}, extra: 1 }, ["graph.extra", "name"]],
    [
      { name: "g", tables: { t: { columns: { id: 1 }, primaryKey: "id" } }, nodes: {} },
      [
        "tables.t.columns.id",
        "tables.t.columns.id.nullable",
        "tables.t.columns.id.type",
        "tables.t.primaryKey",
      ],
    ],
    [{ name: "g", tables: { t: { name: "u", columns: {}, primaryKey: [] } }, nodes: {} }, ["tables.t.name"]],
    [
      { name: "g", tables: {}, nodes: { a: { table: "t", key: "k", wher: 1, priority: "1" } } },
      ["nodes.a.wher", "nodes.a.priority"],
    ],
    [
      { name: "g", tables: {}, nodes: { a: { table: "t", key: "k", where: { _tag: "Any" } } } },
      ["nodes.a.where._tag"],
    ],
    [
      { name: "g", tables: {}, nodes: { a: { table: "t", key: "k", where: { _tag: "constructor" } } } },
      ["nodes.a.where._tag"],
    ],
    [
      {
        name: "g",
        tables: {},
        nodes: { a: { table: "t", key: "k", where: { _tag: "Compare", op: "=", column: "c", value: null } } },
      },
      ["nodes.a.where.value"],
    ],
    [
      {
        name: "g",
        tables: {},
        nodes: { a: { table: "t", key: "k", where: { _tag: "And", filters: [1, { _tag: "Not" }] } } },
      },
      [
        "nodes.a.where.filters.0",
        "nodes.a.where.filters.0._tag",
        "nodes.a.where.filters.1.filter",
        "nodes.a.where.filters.1.filter._tag",
      ],
    ],
    [
      { name: "g", tables: {}, nodes: { a: { table: "t", key: "k", per: "x", owner: "x" } } },
      ["nodes.a.per"],
    ],
  ])("reports malformed input %#", (value, paths) => {
    expect(pathsOf(value)).toEqual(paths)
  })

  it("is validated once its form is right", () => {
    expect(pathsOf({ name: "g", tables: {}, nodes: { a: { table: "t", key: "k" } } })).toEqual([
      "nodes.a.table",
    ])
  })

  it("ends on endless nesting", () => {
    let where: unknown = { _tag: "IsNull", column: "c" }
    for (let depth = 0; depth < 10_000; depth += 1) where = { _tag: "Not", filter: where }
    expect(
      invalid({ name: "g", tables: {}, nodes: { a: { table: "t", key: "k", where } } }).message,
    ).toContain("nested deeper")
  })
})
