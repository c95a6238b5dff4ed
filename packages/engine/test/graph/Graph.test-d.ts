/**
 * Type tests, checked by the type checker and never run: a wrong name in a declaration is a compile error at that name.
 */
import {
  and,
  col,
  eq,
  Graph,
  identity,
  isIn,
  isNull,
  json,
  not,
  or,
  param,
  sql,
} from "../../src/graph/index.ts"
import type { NodeIdOf, NodeRow, TableNameOf, TableOf, TableRow } from "../../src/graph/index.ts"

const params = { userId: identity("uuid") } as const
const tables = {
  users: { columns: { id: "uuid", name: "text", seen: "timestamptz?", tags: "text[]" }, primaryKey: ["id"] },
  members: { columns: { id: "uuid", company_id: "uuid", user_id: "uuid" }, primaryKey: ["id"] },
  companies: { columns: { id: "uuid", name: "text", settings: json<{ a: 1 }>() }, primaryKey: ["id"] },
} as const
const memberships = { table: "members", where: eq("user_id", param("userId")), key: "m-{userId}" } as const

const edge = { table: "companies", parent: "memberships", on: { id: "company_id" } } as const

Graph.make({
  name: "right",
  params,
  tables,
  nodes: {
    memberships,
    companies: { table: "companies", parent: "memberships", on: { id: "company_id" }, key: "company-{id}" },
    members: {
      table: "members",
      parent: "companies",
      on: { company_id: "id" },
      where: and(
        isNull("user_id"),
        or(not(eq("id", "x")), isIn("id", ["y"])),
        sql`${col("user_id")} = ${param("userId")}`,
      ),
      key: "company-{id}-members",
    },
    people: {
      table: "users",
      parent: "members",
      on: { id: "user_id" },
      per: "companies",
      key: "company-{id}-people",
    },
    everyone: { table: "users", parent: "members", on: { id: "user_id" }, per: "root", key: "everyone" },
  },
})

Graph.make({
  name: "wrong table",
  params,
  tables,
  nodes: {
    memberships,
    // @ts-expect-error no such table
    companies: { table: "company", key: "c" },
  },
})

Graph.make({
  name: "wrong column of the child",
  params,
  tables,
  nodes: {
    memberships,
    companies: {
      table: "companies",
      parent: "memberships",
      // @ts-expect-error companies have no company_id
      on: { company_id: "company_id" },
      key: "c-{company_id}",
    },
  },
})

Graph.make({
  name: "wrong column of the parent",
  params,
  tables,
  nodes: {
    memberships,
    // @ts-expect-error members have no zz
    companies: { table: "companies", parent: "memberships", on: { id: "zz" }, key: "c-{id}" },
  },
})

Graph.make({
  name: "wrong node as the parent",
  params,
  tables,
  nodes: {
    memberships,
    // @ts-expect-error no such node
    companies: { table: "companies", parent: "membership", on: { id: "company_id" }, key: "c-{id}" },
  },
})

Graph.make({
  name: "itself as the parent",
  params,
  tables,
  nodes: {
    // @ts-expect-error a node is not its own parent
    companies: { table: "companies", parent: "companies", on: { id: "id" }, key: "c-{id}" },
  },
})

Graph.make({
  name: "wrong node as the owner",
  params,
  tables,
  nodes: {
    memberships,
    // @ts-expect-error no such node
    companies: { ...edge, per: "users", key: "c-{id}" },
  },
})

Graph.make({
  name: "wrong param",
  params,
  tables,
  // @ts-expect-error no such param
  nodes: { user: { table: "users", where: eq("id", param("user")), key: "u" } },
})

Graph.make({
  name: "param in a graph without params",
  tables,
  // @ts-expect-error no such param
  nodes: { user: { table: "users", where: eq("id", param("userId")), key: "u" } },
})

Graph.make({
  name: "wrong column in a filter",
  params,
  tables,
  // @ts-expect-error users have no user_id
  nodes: { user: { table: "users", where: and(eq("user_id", param("userId")), isNull("seen")), key: "u" } },
})

Graph.make({
  name: "wrong column in a template",
  params,
  tables,
  // @ts-expect-error users have no zz
  nodes: { user: { table: "users", where: sql`${col("zz")} = ${param("userId")}`, key: "u" } },
})

Graph.make({
  name: "wrong column in a primary key",
  // @ts-expect-error users have no uid
  tables: { users: { columns: { id: "uuid" }, primaryKey: ["uid"] } },
  nodes: {},
})

Graph.make({
  name: "wrong column in an index",
  // @ts-expect-error users have no uid
  tables: { users: { columns: { id: "uuid" }, primaryKey: ["id"], indexes: [["uid"]] } },
  nodes: {},
})

Graph.make({
  name: "wrong column type",
  // @ts-expect-error there is no type string
  tables: { users: { columns: { id: "string" }, primaryKey: ["id"] } },
  nodes: {},
})

Graph.make({
  name: "misspelt property",
  params,
  tables,
  // @ts-expect-error where
  nodes: { user: { table: "users", wher: eq("id", param("userId")), key: "u" } },
})

Graph.make({
  name: "misspelt property of a table",
  // @ts-expect-error indexes
  tables: { users: { columns: { id: "uuid" }, primaryKey: ["id"], index: [["id"]] } },
  nodes: {},
})

Graph.make({
  name: "wrong policy",
  params,
  tables,
  // @ts-expect-error always or onDemand
  nodes: { user: { table: "users", key: "u", sync: "sometimes" } },
})

type Equals<Left, Right> =
  (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2 ? true : false
const holds = <_Check extends true>(): void => undefined

const graph = Graph.make({
  name: "types",
  params,
  tables,
  nodes: { memberships, user: { table: "users", key: "u" } },
})
holds<Equals<NodeIdOf<typeof graph>, "memberships" | "user">>()
holds<Equals<TableNameOf<typeof graph>, "users" | "members" | "companies">>()
holds<Equals<TableOf<typeof graph, "user">, "users">>()
holds<Equals<TableRow<typeof graph, "companies">["settings"], { a: 1 }>>()
holds<
  Equals<
    NodeRow<typeof graph, "user">,
    {
      readonly id: string
      readonly name: string
      readonly seen: Date | null
      readonly tags: ReadonlyArray<string>
    }
  >
>()
