/** The graph of the demo, as an app writes it: users, their companies, and what belongs to each company. */
import { eq, Graph, identity, json, param } from "@espalier/engine/graph"

const timestamps = { created_at: "timestamptz", updated_at: "timestamptz" } as const

export const graph = Graph.make({
  name: "workspaces",
  params: { userId: identity("uuid") },
  tables: {
    users: {
      columns: {
        id: "uuid",
        email: "text",
        name: "text",
        avatar_url: "text?",
        preferences: json<Record<string, unknown>>(),
        last_login_at: "timestamptz?",
        is_active: "bool",
        ...timestamps,
      },
      primaryKey: ["id"],
    },
    people: { from: "users", columns: { id: "uuid", name: "text", avatar_url: "text?" }, primaryKey: ["id"] },
    companies: {
      columns: {
        id: "uuid",
        name: "text",
        slug: "text",
        owner_id: "uuid",
        settings: json<Record<string, unknown>>(),
        deleted_at: "timestamptz?",
        ...timestamps,
      },
      primaryKey: ["id"],
    },
    company_members: {
      columns: { id: "uuid", company_id: "uuid", user_id: "uuid", role: "text", ...timestamps },
      primaryKey: ["id"],
      indexes: [["company_id"]],
    },
    user_groups: {
      columns: { id: "uuid", company_id: "uuid", name: "text", ...timestamps },
      primaryKey: ["id"],
      indexes: [["company_id"]],
    },
    user_group_members: {
      columns: { id: "uuid", group_id: "uuid", user_id: "uuid", created_at: "timestamptz" },
      primaryKey: ["id"],
      indexes: [["group_id"]],
    },
    workspaces: {
      columns: { id: "uuid", company_id: "uuid", name: "text", description: "text?", ...timestamps },
      primaryKey: ["id"],
      indexes: [["company_id"]],
    },
    folders: {
      columns: { id: "uuid", workspace_id: "uuid", name: "text", position: "int4", ...timestamps },
      primaryKey: ["id"],
      indexes: [["workspace_id"]],
    },
  },
  nodes: {
    user: { table: "users", where: eq("id", param("userId")), key: "user-{userId}", priority: 10 },
    memberships: {
      table: "company_members",
      where: eq("user_id", param("userId")),
      key: "user-{userId}-memberships",
      priority: 10,
    },
    companies: { table: "companies", parent: "memberships", on: { id: "company_id" }, key: "company-{id}" },
    members: {
      table: "company_members",
      parent: "companies",
      on: { company_id: "id" },
      key: "company-{id}-members",
    },
    people: {
      table: "people",
      parent: "members",
      on: { id: "user_id" },
      per: "companies",
      key: "company-{id}-people",
    },
    groups: {
      table: "user_groups",
      parent: "companies",
      on: { company_id: "id" },
      key: "company-{id}-groups",
    },
    groupMembers: {
      table: "user_group_members",
      parent: "groups",
      on: { group_id: "id" },
      per: "companies",
      key: "company-{id}-group-members",
    },
    workspaces: {
      table: "workspaces",
      parent: "companies",
      on: { company_id: "id" },
      key: "company-{id}-workspaces",
    },
    folders: {
      table: "folders",
      parent: "workspaces",
      on: { workspace_id: "id" },
      per: "companies",
      key: "company-{id}-folders",
    },
  },
})
