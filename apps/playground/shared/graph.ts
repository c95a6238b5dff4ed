/** The playground's graph: lists, and the notes of each. */
import { Graph } from "@espalier/engine/graph"

export const graph = Graph.make({
  name: "playground",
  tables: {
    lists: { columns: { id: "uuid", name: "text" }, primaryKey: ["id"] },
    notes: {
      columns: { id: "uuid", list_id: "uuid", title: "text", position: "int4" },
      primaryKey: ["id"],
      indexes: [["list_id"]],
    },
  },
  nodes: {
    lists: { table: "lists", key: "lists" },
    notes: {
      table: "notes",
      parent: "lists",
      on: { list_id: "id" },
      key: "list-{id}-notes",
      sync: "onDemand",
    },
  },
})
