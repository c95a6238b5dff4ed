/** What an invalid graph says: every problem at once, with its path and its fix. `node packages/engine/examples/invalid.ts` prints it. */
import { Graph, GraphInvalid } from "@espalier/engine/graph"

// As JSON: written as code, the compiler refuses the wrong names before this runs.
const declared = {
  name: "tracker",
  params: { userId: { type: "text", source: "identity" } },
  tables: {
    projects: { columns: { id: "text", owner: "text" } },
    issues: { columns: { id: "uuid", project_id: "uuid" } },
  },
  nodes: {
    projects: { table: "projects", key: "projects" },
    issues: { table: "issues", parent: "project", on: { project_id: "id" }, key: "issues" },
    comments: { table: "comments", parent: "issues", on: { issue_id: "id" }, key: "comments" },
  },
}

try {
  Graph.fromJson(declared)
} catch (cause) {
  if (!(cause instanceof GraphInvalid)) throw cause
  console.log(cause.message)
}
