// @vitest-environment happy-dom
import { effectScope } from "vue"
import { describe, expect, it, vi } from "vitest"
import { connectDevtools, type DevtoolsApi } from "../src/devtools/index.ts"
import { inspectorState, inspectorTree } from "../src/devtools/describe.ts"
import { createEspalier } from "../src/index.ts"
import { instance, statusOf } from "./support/FakeEngineClient.ts"
import { graph, makeClient } from "./support/harness.ts"

const status = statusOf(graph, [
  instance(graph, { key: "user-1-memberships", node: "mine" }),
  instance(graph, {
    key: "company-1",
    node: "companies",
    bindings: { id: "1" },
    state: "Backoff",
    error: { reason: "Overloaded", message: "503" },
    offset: "26854520_3",
  }),
])

describe("the description for DevTools", () => {
  it("is a tree of nodes and instances with their states, narrowed by the filter", () => {
    const names = (filter: string) =>
      inspectorTree(graph, status, filter).flatMap(({ label, children }) => [
        label,
        ...(children ?? []).map((child) => `${child.label} ${child.tags?.[0]?.label}`),
      ])
    expect(names("").slice(0, 4)).toEqual([
      "mine",
      "user-1-memberships Live",
      "companies",
      "company-1 Backoff",
    ])
    expect(names("503")).not.toContain("user-1-memberships Live")
  })

  it("tells everything about a node or an instance, and nothing of one that is gone", () => {
    const of = (id: string) => inspectorState(graph, status, id)
    expect(of("instance:company-1")["error"]).toContainEqual({ key: "message", value: "503" })
    expect(of("instance:company-1")["state"]).toContainEqual({ key: "lsn", value: "0/199C478" })
    expect(of("node:companies")["status"]).toContainEqual({ key: "instances", value: 1 })
    expect(of("instance:gone")).toEqual({})
  })
})

describe("the connection to DevTools", () => {
  it("answers its own inspector, passes every line of the journal on once, and stops with its scope", async () => {
    const client = makeClient()
    client.setStatus(status)
    client.setJournal([{ seq: 0, at: 1, key: "company-1", event: "failed", detail: "503" }])
    const espalier = createEspalier({ graph, client })
    const told: Array<string> = []
    let sent = 0
    let answerTree: Parameters<DevtoolsApi["on"]["getInspectorTree"]>[0] = () => {}
    const api: DevtoolsApi = {
      on: { getInspectorTree: (handler) => (answerTree = handler), getInspectorState: () => {} },
      addInspector: () => {},
      addTimelineLayer: () => {},
      addTimelineEvent: ({ event }) => told.push(`${event.logType} ${event.title} ${event.subtitle}`),
      sendInspectorTree: () => (sent += 1),
      sendInspectorState: () => {},
    }
    const scope = effectScope()
    scope.run(() => connectDevtools(api, "espalier:default", espalier))
    await vi.waitFor(() => expect(told).toEqual(["error failed company-1 503"]))
    const own = { inspectorId: "espalier:default", filter: "", rootNodes: [] }
    const other = { inspectorId: "pinia", filter: "", rootNodes: [] }
    answerTree(own)
    answerTree(other)
    expect([own.rootNodes.length, other.rootNodes.length]).toEqual([Object.keys(graph.nodes).length, 0])
    client.setJournal([
      { seq: 0, at: 1, key: "company-1", event: "failed", detail: "503" },
      { seq: 1, at: 2, key: null, event: "reachable", detail: "" },
    ])
    client.setStatus({ ...status, generation: 2 })
    await vi.waitFor(() => expect(told).toHaveLength(2))
    scope.stop()
    const before = sent
    client.setStatus({ ...status, generation: 3 })
    expect(sent).toBe(before)
  })
})
