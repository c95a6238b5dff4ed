/**
 * An issue tracker: what a person is assigned to, the open issues of their projects, the comments on both, and closed issues on demand.
 * Issues and comments reach the client on two ways each, and comments follow their issues through a filter.
 */
import { client, eq, Graph, identity, isIn, not, param } from "@espalier/engine/graph"

const open = isIn("status", ["open", "review"])

export const graph = Graph.make({
  name: "issues",
  params: { userId: identity("uuid"), label: client("text") },
  tables: {
    project_members: {
      columns: { project_id: "uuid", user_id: "uuid", role: "text" },
      primaryKey: ["project_id", "user_id"],
    },
    projects: { columns: { id: "uuid", name: "text", archived: "bool" } },
    issues: {
      columns: {
        id: "uuid",
        project_id: "uuid",
        assignee_id: "uuid?",
        status: "text",
        label: "text?",
        title: "text",
      },
      indexes: [["project_id"]],
    },
    comments: { columns: { id: "int8", issue_id: "uuid", body: "text" }, indexes: [["issue_id"]] },
  },
  nodes: {
    memberships: {
      table: "project_members",
      where: eq("user_id", param("userId")),
      key: "user-{userId}-projects",
      priority: 10,
    },
    assigned: { table: "issues", where: eq("assignee_id", param("userId")), key: "user-{userId}-issues" },
    assignedComments: {
      table: "comments",
      parent: "assigned",
      on: { issue_id: "id" },
      per: "root",
      key: "user-{userId}-comments",
    },
    labelled: { table: "issues", where: eq("label", param("label")), key: "label-{label}", sync: "onDemand" },
    projects: {
      table: "projects",
      parent: "memberships",
      on: { id: "project_id" },
      where: eq("archived", false),
      key: "project-{id}",
    },
    issues: {
      table: "issues",
      parent: "projects",
      on: { project_id: "id" },
      where: open,
      key: "project-{id}-open",
    },
    comments: {
      table: "comments",
      parent: "issues",
      on: { issue_id: "id" },
      per: "projects",
      key: "project-{id}-comments",
    },
    closed: {
      table: "issues",
      parent: "projects",
      on: { project_id: "id" },
      where: not(open),
      key: "project-{id}-closed",
      sync: "onDemand",
      keepForMillis: 5_000,
    },
  },
})
