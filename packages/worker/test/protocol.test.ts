import { graph } from "../../engine/examples/workspaces.graph.ts"
import { assert, describe, it } from "vitest"
import type { HostSettings } from "../src/contract.ts"
import { fingerprint } from "../src/protocol.ts"
import { chosenGraph } from "./support/chosenGraph.ts"

const settings: HostSettings = {
  name: "workspaces-7",
  dataDir: "idb://workspaces-7",
  graph,
  params: { userId: "7", locale: "en" },
  source: { kind: "gateway", url: "/v1/shape" },
}

describe("fingerprint", () => {
  it("does not depend on the order in which members were written", () => {
    assert.equal(fingerprint({ ...settings, params: { locale: "en", userId: "7" } }), fingerprint(settings))
    assert.match(fingerprint(settings), /^[0-9a-f]{16}$/)
  })

  it("survives the way to a worker", () => {
    assert.equal(fingerprint(structuredClone(settings)), fingerprint(settings))
    assert.equal(fingerprint(JSON.parse(JSON.stringify(settings))), fingerprint(settings))
  })

  it("is that of a tab that came from another route: what the client may choose is no part of it", () => {
    const tab = (userId: string, company: string): string =>
      fingerprint({ ...settings, graph: chosenGraph, params: { userId, company } })
    assert.equal(tab("7", "1"), tab("7", "2"))
    assert.notEqual(tab("7", "1"), tab("8", "1"))
  })

  it("differs by user, graph, database and source, and not by limits", () => {
    const others: ReadonlyArray<HostSettings> = [
      { ...settings, params: { userId: "8", locale: "en" } },
      { ...settings, graph: { ...graph, name: "other" } },
      { ...settings, dataDir: "memory://" },
      { ...settings, source: { kind: "electric", url: "/v1/shape" } },
    ]
    assert.equal(new Set([...others, settings].map(fingerprint)).size, 5)
    assert.equal(fingerprint({ ...settings, config: { maxConnections: 2 } }), fingerprint(settings))
  })
})
