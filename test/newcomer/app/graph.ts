/** A newcomer's graph: an issue tracker of three tables. Pages and the server import this one file. */
import { eq, Graph, identity, param } from "@espalier/engine/graph"

export const graph = Graph.make({
  name: "tracker",
  params: { userId: identity("text") },
  tables: {
    projects: { columns: { id: "text", owner: "text", name: "text" } },
    issues: { columns: { id: "text", project_id: "text", title: "text" } },
    comments: { columns: { id: "text", issue_id: "text", body: "text" } },
  },
  nodes: {
    projects: { table: "projects", where: eq("owner", param("userId")), key: "projects" },
    issues: { table: "issues", parent: "projects", on: { project_id: "id" }, key: "project-{id}-issues" },
    comments: {
      table: "comments",
      parent: "issues",
      on: { issue_id: "id" },
      per: "projects",
      key: "project-{id}-comments",
    },
  },
})
