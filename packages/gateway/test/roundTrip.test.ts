import { describe, expect, it } from "@effect/vitest"
import { shapeUrl } from "@espalier/engine/electric"
import { client, eq, Graph, identity, param } from "@espalier/engine/graph"
import { compileInstance } from "@espalier/engine/protocol"
import { checkDefinition, compileAsk, readAsk } from "../src/authorize.ts"

const graph = Graph.make({
  name: "boards",
  params: { userId: identity("uuid"), season: client("text") },
  tables: {
    seats: { columns: { id: "int8", user_id: "uuid", board_id: "int8" }, primaryKey: ["id"] },
    boards: { columns: { id: "int8", season: "text" }, primaryKey: ["id"] },
    cards: { columns: { id: "int8", board_id: "int8" }, primaryKey: ["id"] },
  },
  nodes: {
    seats: { table: "seats", where: eq("user_id", param("userId")), key: "user-{userId}-seats" },
    boards: {
      table: "boards",
      where: eq("season", param("season")),
      parent: "seats",
      on: { id: "board_id" },
      key: "season-{season}-board-{id}",
    },
    cards: { table: "cards", parent: "boards", on: { board_id: "id" }, key: "board-{id}-cards" },
  },
})

const userId = "10000000-0000-4000-8000-000000000001"
const params = { userId, season: "a 'b' & c=d" }

describe("what the source asks", () => {
  for (const [node, bindings] of [
    ["seats", {}],
    ["boards", { id: "7" }],
    ["cards", { board_id: "-7" }],
  ] as const)
    it(`is what the gateway compiles, for "${node}"`, () => {
      const instance = compileInstance(graph, node, bindings, params)
      const ask = readAsk(graph, shapeUrl("gateway", "http://gateway/v1/shape", instance).search)
      if (ask._tag === "Refusal") throw new Error(ask.message)
      // The identity's own value, never one from the request.
      const compiled = compileAsk(graph, ask, { userId })
      if ("_tag" in compiled) throw new Error(compiled.message)
      expect(compiled).toEqual(instance)
      expect(checkDefinition(ask, compiled)).toBeNull()
    })

  it("names client params only where they are used", () => {
    const search = (node: string, bindings: Record<string, string>) =>
      shapeUrl("gateway", "http://gateway/", compileInstance(graph, node, bindings, params)).searchParams
    expect(search("boards", { id: "7" }).get("p.season")).toBe(params.season)
    expect(search("cards", { board_id: "7" }).has("p.season")).toBe(false)
    expect(search("seats", {}).has("p.userId")).toBe(false)
  })
})
