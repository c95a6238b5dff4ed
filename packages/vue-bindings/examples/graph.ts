/**
 * The graph the examples of this package use: a user's companies, their members, and folders owned per
 * company.
 */
import { eq, Graph, identity, param } from "@espalier/engine/graph"

export const graph = Graph.make({
  name: "examples",
  params: { userId: identity("uuid") },
  tables: {
    memberships: {
      from: "company_members",
      columns: { id: "uuid", company_id: "uuid", user_id: "uuid", role: "text" },
      primaryKey: ["id"],
    },
    companies: { columns: { id: "uuid", name: "text", created_at: "timestamptz" }, primaryKey: ["id"] },
    workspaces: { columns: { id: "uuid", company_id: "uuid", name: "text" }, primaryKey: ["id"] },
    folders: {
      columns: {
        id: "uuid",
        workspace_id: "uuid",
        name: "text",
        position: "int4",
        archived_at: "timestamptz?",
      },
      primaryKey: ["id"],
    },
  },
  nodes: {
    mine: { table: "memberships", where: eq("user_id", param("userId")), key: "user-{userId}-memberships" },
    companies: { table: "companies", parent: "mine", on: { id: "company_id" }, key: "company-{id}" },
    members: {
      table: "memberships",
      parent: "companies",
      on: { company_id: "id" },
      key: "company-{id}-members",
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
      sync: "onDemand",
    },
  },
})
