import { describe, expect, it } from "vitest"
import { graph } from "../examples/graph.ts"
import * as format from "../src/panel/format.ts"
import { instance, statusOf } from "./support/FakeEngineClient.ts"

describe("formatting", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KB"],
    [1536, "1.5 KB"],
    [10 * 1024, "10 KB"],
    [1024 * 1024 - 1, "1 MB"],
    [-5, "0 B"],
  ])("%d bytes are %s", (bytes, text) => expect(format.formatBytes(bytes)).toBe(text))

  it.each([
    [0, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [65_000, "1 min 5 s"],
    [7_380_000, "2 h 3 min"],
    [86_400_000 * 4 + 3_600_000, "4 d 1 h"],
    [-1, "0 s"],
  ])("%d ms are %s", (millis, text) => expect(format.formatDuration(millis)).toBe(text))

  it("never promises the next attempt too early", () => {
    expect(format.formatCountdown(12_001, 0)).toBe("in 13 s")
    expect(format.formatCountdown(1, 0)).toBe("in 1 s")
    expect(format.formatCountdown(5, 5)).toBe("now")
    expect([format.formatAgo(0, 999), format.formatAgo(0, 12_000)]).toEqual(["just now", "12 s ago"])
  })

  it("writes local time to the millisecond", () => {
    expect(format.formatTime(new Date(2026, 0, 2, 9, 5, 3, 42).getTime())).toBe("09:05:03.042")
  })

  it("counts in words", () => {
    expect([format.plural(1, "row"), format.plural(12_345, "row")]).toEqual(["1 row", "12,345 rows"])
  })

  it("shortens the uuids of a key and keeps its suffix", () => {
    expect(format.shortKey("company-2f1c7b1e-11aa-4c2b-9d6e-0a64f2b41a01-folders")).toBe(
      "company-2f1c…1a01-folders",
    )
    expect(format.shortKey("company-7-folders")).toBe("company-7-folders")
  })

  it("has a word, a tone and a sentence for every state and roll-up", () => {
    expect(new Set(format.stateOrder.map(format.stateHint)).size).toBe(9)
    const rollups = ["idle", "loading", "live", "stale", "offline", "blocked", "error"] as const
    expect(new Set(rollups.map(format.rollupLabel)).size).toBe(7)
    expect([format.stateTone("Halted"), format.rollupTone("error")]).toEqual(["bad", "bad"])
  })
})

describe("filtering and grouping", () => {
  const instances = [
    instance(graph, { key: "company-10", node: "companies" }),
    instance(graph, {
      key: "company-9",
      node: "companies",
      state: "Backoff",
      error: { reason: "Overloaded", message: "503 from upstream" },
    }),
    instance(graph, { key: "company-9-members", node: "members", bindings: { company_id: "9" } }),
  ]

  it("matches every word in key, table, state, error and bindings", () => {
    const matching = (filter: string) =>
      instances.filter((one) => format.matchesFilter(one, filter)).map((one) => one.key)
    expect(matching("  ")).toHaveLength(3)
    expect(matching("503 company-9")).toEqual(["company-9"])
    expect(matching("LIVE memberships")).toEqual(["company-9-members"])
    expect(matching("nothing")).toEqual([])
  })

  it("lists nodes as a tree, parents first, with instances in natural order", () => {
    const groups = format.groupInstances(graph, statusOf(graph, instances), () => true)
    expect(groups.map((group) => `${group.depth} ${group.node} ${group.live}/${group.total}`)).toEqual([
      "0 mine 0/0",
      "1 companies 1/2",
      "2 members 1/1",
      "2 workspaces 0/0",
      "3 folders 0/0",
    ])
    expect(groups[1]?.instances.map((one) => one.key)).toEqual(["company-9", "company-10"])
  })

  it("counts states, what needs eyes first", () => {
    expect(format.countStates(instances)).toEqual([
      { state: "Backoff", count: 1 },
      { state: "Live", count: 2 },
    ])
  })

  it("reads a definition, and nothing that is none", () => {
    const definition = { table: "folders", where: '"a" = $1', params: { "1": "x" }, columns: ["id"] }
    expect(format.viewDefinition(definition)).toEqual({
      table: "folders",
      where: '"a" = $1',
      params: [["$1", "x"]],
      columns: ["id"],
    })
    expect(format.viewDefinition({ table: "folders" })?.where).toBe("all rows")
    expect([format.viewDefinition(null), format.viewDefinition("x"), format.viewDefinition({})]).toEqual([
      null,
      null,
      null,
    ])
  })
})
