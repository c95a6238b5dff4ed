/** The graph of the other examples: my seats, the teams they are in, and each team's notes while somebody looks at them. */
import { client, eq, Graph, identity, param } from "@espalier/engine/graph"

export const graph = Graph.make({
  name: "teams",
  params: { userId: identity("text"), teamId: client("text") },
  tables: {
    seats: { columns: { id: "text", team_id: "text", user_id: "text" } },
    teams: { columns: { id: "text", name: "text" } },
    notes: { columns: { id: "text", team_id: "text", text: "text" }, indexes: [["team_id"]] },
  },
  nodes: {
    mine: { table: "seats", where: eq("user_id", param("userId")), key: "user-{userId}-seats" },
    teams: { table: "teams", parent: "mine", on: { id: "team_id" }, key: "team-{id}" },
    notes: {
      table: "notes",
      parent: "teams",
      on: { team_id: "id" },
      key: "team-{id}-notes",
      sync: "onDemand",
    },
    open: { table: "notes", where: eq("team_id", param("teamId")), key: "open-{teamId}" },
  },
})
