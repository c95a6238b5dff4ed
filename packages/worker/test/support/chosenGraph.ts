/** A graph with a parameter of the identity and one that the client may choose. */
import { client, eq, Graph, identity, param } from "@espalier/engine/graph"

export const chosenGraph = Graph.make({
  name: "chosen",
  params: { userId: identity("text"), company: client("text") },
  tables: { notes: { columns: { id: "uuid", company_id: "text" }, primaryKey: ["id"] } },
  nodes: {
    notes: {
      table: "notes",
      where: eq("company_id", param("company")),
      key: "user-{userId}-notes-{company}",
    },
  },
})
