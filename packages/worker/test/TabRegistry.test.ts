import { assert, describe, it } from "vitest"
import { anyVisible, endTab, heldLeases, noTabs, receive, type Tabs } from "../src/host/TabRegistry.ts"
import type { TabMessage } from "../src/protocol.ts"

const hello = (tabId: string, leases: ReadonlyArray<[number, string]> = [], visible = true): TabMessage => ({
  type: "hello",
  tabId,
  visible,
  leases: leases.map(([leaseId, node]) => ({ leaseId, request: { node } })),
})

const play = (messages: ReadonlyArray<TabMessage>): Tabs =>
  messages.reduce((tabs, message) => receive(tabs, message).tabs, noTabs)

describe("TabRegistry", () => {
  it("watches and welcomes a new tab, and acquires what it brings", () => {
    const step = receive(noTabs, hello("a", [[1, "folders"]]))
    assert.deepEqual(
      step.actions.map((action) => action.type),
      ["watch", "acquire", "welcome"],
    )
    assert.deepEqual(heldLeases(step.tabs), [{ lease: "a/1", request: { node: "folders" } }])
  })

  it("takes a repeated hello as the tab's whole demand, and touches only the difference", () => {
    const tabs = play([
      hello("a", [
        [1, "folders"],
        [2, "groups"],
      ]),
    ])
    const step = receive(
      tabs,
      hello("a", [
        [2, "groups"],
        [3, "people"],
      ]),
    )
    assert.deepEqual(step.actions, [
      { type: "release", lease: "a/1" },
      { type: "acquire", lease: "a/3", request: { node: "people" } },
      { type: "welcome", tabId: "a" },
    ])
  })

  it("ignores everything from a tab that has not said hello", () => {
    const strangers: ReadonlyArray<TabMessage> = [
      { type: "lease", tabId: "x", leaseId: 1, request: { node: "folders" } },
      { type: "release", tabId: "x", leaseId: 1 },
      { type: "visible", tabId: "x", visible: false },
      { type: "call", tabId: "x", callId: 1, name: "wipe", args: [] },
      { type: "bye", tabId: "x" },
    ]
    for (const message of strangers) {
      assert.deepEqual(receive(noTabs, message), { tabs: noTabs, actions: [] })
    }
  })

  it("acquires and releases a lease once, however often it is told", () => {
    const lease: TabMessage = { type: "lease", tabId: "a", leaseId: 7, request: { node: "folders" } }
    const first = receive(play([hello("a")]), lease)
    assert.equal(first.actions.length, 1)
    assert.deepEqual(receive(first.tabs, lease).actions, [])
    const release: TabMessage = { type: "release", tabId: "a", leaseId: 7 }
    const gone = receive(first.tabs, release)
    assert.deepEqual(gone.actions, [{ type: "release", lease: "a/7" }])
    assert.deepEqual(receive(gone.tabs, release).actions, [])
  })

  it("keeps leases of different tabs apart although their numbers are equal", () => {
    const tabs = play([hello("a", [[1, "folders"]]), hello("b", [[1, "folders"]])])
    const step = endTab(tabs, "a")
    assert.deepEqual(step.actions, [
      { type: "release", lease: "a/1" },
      { type: "forget", tabId: "a" },
    ])
    assert.deepEqual(
      heldLeases(step.tabs).map((held) => held.lease),
      ["b/1"],
    )
  })

  it("ends a tab once, whether by goodbye or by its lock", () => {
    const step = receive(play([hello("a", [[1, "folders"]])]), { type: "bye", tabId: "a" })
    assert.equal(step.tabs.size, 0)
    assert.deepEqual(endTab(step.tabs, "a").actions, [])
  })

  it("is visible while any tab is, and before the first tab is known", () => {
    assert.isTrue(anyVisible(noTabs))
    const tabs = play([hello("a", [], false), hello("b", [], true)])
    assert.isTrue(anyVisible(tabs))
    assert.isFalse(anyVisible(receive(tabs, { type: "visible", tabId: "b", visible: false }).tabs))
  })
})
