// @vitest-environment happy-dom
import { enableAutoUnmount, mount } from "@vue/test-utils"
import { defineComponent, h } from "vue"
import { afterEach, describe, expect, it, vi } from "vitest"
import {
  createEspalier,
  SyncIndicator,
  SyncPanel,
  type FaultControl,
  type FaultInForce,
} from "../src/index.ts"
import { stateOrder } from "../src/panel/format.ts"
import { instance, statusOf, type FakeEngineClient } from "./support/FakeEngineClient.ts"
import { graph, makeClient, settled } from "./support/harness.ts"

enableAutoUnmount(afterEach)

const find = (selector: string): HTMLElement => {
  const found = document.querySelector<HTMLElement>(selector)
  if (found === null) throw new Error(`Nothing on the page matches ${selector}.`)
  return found
}
const all = (selector: string): ReadonlyArray<HTMLElement> => [
  ...document.querySelectorAll<HTMLElement>(selector),
]
const id = (testId: string): string => `[data-testid="${testId}"]`
const row = (key: string): string => `${id("panel-instance")}[data-key="${key}"]`
const focused = (): string => {
  const element = document.activeElement
  return element instanceof HTMLElement
    ? (element.dataset["item"] ?? element.dataset["testid"] ?? element.tagName)
    : ""
}
const press = async (key: string): Promise<void> => {
  document.activeElement?.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }),
  )
  await settled()
}
const click = async (selector: string): Promise<void> => {
  find(selector).click()
  await settled()
}
const type = async (text: string): Promise<void> => {
  const input = find(id("panel-filter")) as HTMLInputElement
  input.value = text
  input.dispatchEvent(new Event("input", { bubbles: true }))
  await settled()
}

const someStates = statusOf(graph, [
  instance(graph, { key: "user-1-memberships", node: "mine", slot: true }),
  instance(graph, {
    key: "company-1",
    node: "companies",
    bindings: { id: "1" },
    demandedBy: ["user-1-memberships"],
  }),
  instance(graph, {
    key: "company-2",
    node: "companies",
    bindings: { id: "2" },
    state: "Backoff",
    attempt: 3,
    nextAttemptAt: 10_500,
    error: { reason: "Overloaded", message: "503: snapshot queue is full" },
  }),
])

const open = async (client: FakeEngineClient | null = makeClient()) => {
  client?.setStatus(someStates)
  const espalier = createEspalier({ graph, client })
  const page = defineComponent(() => () => h("main", [h(SyncIndicator), h(SyncPanel)]))
  const wrapper = mount(page, { attachTo: document.body, global: { plugins: [espalier] } })
  find(id("panel-open")).focus()
  await click(id("panel-open"))
  return { espalier, wrapper, client }
}

describe("SyncIndicator", () => {
  it("says the roll-up by word, shape and data-state, politely", async () => {
    await open()
    const badge = find(id("sync-status"))
    expect(badge.dataset["state"]).toBe("loading")
    expect(badge.textContent).toBe("Syncing")
    expect([badge.getAttribute("role"), badge.getAttribute("aria-live")]).toEqual(["status", "polite"])
    expect(badge.querySelector("svg")?.getAttribute("aria-hidden")).toBe("true")
  })
})

describe("SyncPanel", () => {
  it("opens from a real button that says so, takes the focus, and gives it back on Escape", async () => {
    await open()
    const button = find(id("panel-open"))
    expect([button.tagName, button.getAttribute("type"), button.getAttribute("aria-expanded")]).toEqual([
      "BUTTON",
      "button",
      "true",
    ])
    expect(find(id("panel")).id).toBe(button.getAttribute("aria-controls"))
    expect(find(`#${find(id("panel")).getAttribute("aria-labelledby")}`).textContent).toBe("examples")
    expect(focused()).toBe("panel")
    await press("Escape")
    expect([all(id("panel")).length, button.getAttribute("aria-expanded"), focused()]).toEqual([
      0,
      "false",
      "panel-open",
    ])
  })

  it("lists one element per instance with its key and state, grouped under its node", async () => {
    await open()
    expect(all(id("panel-instance")).map((one) => [one.dataset["key"], one.dataset["state"]])).toEqual([
      ["user-1-memberships", "Live"],
      ["company-1", "Live"],
      ["company-2", "Backoff"],
    ])
    expect(all('[role="treeitem"]').map((one) => one.dataset["item"])).toEqual([
      "node:mine",
      "instance:user-1-memberships",
      "node:companies",
      "instance:company-1",
      "instance:company-2",
      "node:members",
      "node:workspaces",
      "node:folders",
    ])
    const item = find(row("company-2"))
    expect(
      ["aria-level", "aria-posinset", "aria-setsize", "aria-selected"].map((name) => item.getAttribute(name)),
    ).toEqual(["2", "2", "2", "false"])
  })

  it("shows each state by a shape and a word of its own", async () => {
    const client = makeClient()
    await open(client)
    client.setStatus(
      statusOf(
        graph,
        stateOrder.map((state) => instance(graph, { key: state, node: "companies", state })),
      ),
    )
    await settled()
    const drawn = all(id("panel-instance")).map((one) => ({
      state: one.dataset["state"],
      word: one.querySelector(".esp-state")?.textContent,
      shape: one.querySelector("svg")?.innerHTML,
    }))
    expect(drawn.every(({ state, word }) => state === word)).toBe(true)
    expect(new Set(drawn.map(({ shape }) => shape)).size).toBe(stateOrder.length)
  })

  it("is one tab stop that arrow keys move through", async () => {
    await open()
    const stops = (): ReadonlyArray<string | undefined> =>
      all('[role="treeitem"][tabindex="0"]').map((one) => one.dataset["item"])
    expect(stops()).toEqual(["node:mine"])
    find('[data-item="node:mine"]').focus()
    await press("ArrowDown")
    await press("ArrowDown")
    expect([focused(), stops()]).toEqual(["node:companies", ["node:companies"]])
    await press("ArrowLeft")
    expect(find('[data-item="node:companies"]').getAttribute("aria-expanded")).toBe("false")
    expect(all(id("panel-instance")).length).toBe(1)
    await press("ArrowRight")
    await press("ArrowRight")
    expect(focused()).toBe("instance:company-1")
    await press("ArrowLeft")
    expect(focused()).toBe("node:companies")
    await press("End")
    expect(focused()).toBe("node:folders")
    await press("ArrowDown")
    await press("Home")
    expect(focused()).toBe("node:mine")
  })

  it("shows why, the whole error with a countdown, and the compiled shape of the selected instance", async () => {
    vi.useFakeTimers({ now: 0, toFake: ["Date", "setInterval", "clearInterval"] })
    try {
      const client = makeClient()
      client.setExplanation("company-2", {
        key: "company-2",
        desired: true,
        why: ["Always synced.", "Held by membership 2."],
        waitingFor: "a retry",
        next: null,
        status: null,
        definition: { table: "companies", where: '"id" = $1', params: { "1": "2" }, columns: ["id", "name"] },
        journal: [{ seq: 1, at: 0, key: "company-2", event: "Failed", detail: "503" }],
      })
      await open(client)
      find('[data-item="instance:company-2"]').focus()
      await press("Enter")
      const text = (): string => find(id("panel-detail")).textContent ?? ""
      for (const part of [
        "503: snapshot queue is full",
        "attempt 3",
        "Held by membership 2.",
        "a retry",
        '"id" = $1',
        "id, name",
        "Failed",
      ]) {
        expect(text()).toContain(part)
      }
      expect(find(id("panel-next-attempt")).textContent).toBe("next try in 11 s")
      vi.advanceTimersByTime(3_000)
      await settled()
      expect(find(id("panel-next-attempt")).textContent).toBe("next try in 8 s")
      expect(find(row("company-2")).getAttribute("aria-selected")).toBe("true")
      await press("Escape")
      expect([all(id("panel-detail")).length, focused()]).toEqual([0, "instance:company-2"])
    } finally {
      vi.useRealTimers()
    }
  })

  it("leads from an instance to the one that demands it", async () => {
    await open()
    await click(row("company-1"))
    await click(`${id("panel-detail")} .esp-link`)
    expect(find(id("panel-detail")).getAttribute("aria-label")).toBe("Details of user-1-memberships")
  })

  it("sends retry, refetch, pause and resume, and says what came of it", async () => {
    const { client } = await open()
    await click(row("company-2"))
    await click(id("panel-retry"))
    await click(id("panel-refetch"))
    await click(id("panel-pause"))
    client?.setStatus({ ...someStates, pauseReasons: ["manual"] })
    await settled()
    expect(find(id("panel-pause")).textContent).toBe("Resume")
    await click(id("panel-pause"))
    const commands = client?.commands.filter(([name]) => !["explain", "journal", "requests"].includes(name))
    expect(commands).toEqual([
      ["retry", "company-2"],
      ["refetch", "company-2"],
      ["pause", "manual"],
      ["resume", "manual"],
    ])
    expect(find('.esp-message[role="status"]').textContent).toBe("Asked to resume syncing.")
  })

  it("says why a command failed instead of swallowing it", async () => {
    const client = makeClient()
    const failing = Object.create(client, {
      call: { value: async () => Promise.reject(new Error("no leader answered in 5 s")) },
    }) as FakeEngineClient
    await open(failing)
    await click(row("company-2"))
    await click(id("panel-retry"))
    expect(find(".esp-message").textContent).toContain("no leader answered in 5 s")
    expect(find(id("panel-detail")).textContent).toContain("did not explain: no leader answered")
  })

  it("filters by text and by state, and says how many are left", async () => {
    await open()
    await type("queue is full")
    expect(all(id("panel-instance")).map((one) => one.dataset["key"])).toEqual(["company-2"])
    expect(find(".esp-footer").textContent).toContain("1 of 3 instances")
    await type("nothing like this")
    expect(find(".esp-empty").textContent).toContain("No instance matches")
    find(id("panel-filter")).focus()
    await press("Escape")
    expect(all(id("panel-instance")).length).toBe(3)
    await click('.esp-chip[data-tone="good"]')
    expect(all(id("panel-instance")).map((one) => one.dataset["state"])).toEqual(["Live", "Live"])
  })

  it("drops the filter on a state that nobody is in any more", async () => {
    const { client } = await open()
    await click('.esp-chip[data-tone="warn"]')
    expect(all(id("panel-instance")).length).toBe(1)
    client?.setStatus(statusOf(graph, [instance(graph, { key: "company-2", node: "companies" })]))
    await settled()
    expect(all(id("panel-instance")).map((one) => one.dataset["state"])).toEqual(["Live"])
  })

  it("shows the journal newest first under a tab that arrow keys reach, and leads to instances", async () => {
    const client = makeClient()
    client.setJournal([
      { seq: 1, at: 0, key: "company-1", event: "Accepted", detail: "handle h" },
      { seq: 2, at: 5, key: "gone", event: "Collected", detail: "rows removed" },
    ])
    await open(client)
    find('[role="tab"][aria-selected="true"]').focus()
    await press("ArrowRight")
    await press("ArrowRight")
    const tab = find('[role="tab"][aria-selected="true"]')
    expect([tab.textContent, document.activeElement === tab]).toEqual(["Timeline", true])
    expect(find('[role="tabpanel"]').getAttribute("aria-labelledby")).toBe(tab.id)
    expect(all(id("panel-entry")).map((one) => one.querySelector("b")?.textContent)).toEqual([
      "Collected",
      "Accepted",
    ])
    await type("handle")
    expect(all(id("panel-entry"))).toHaveLength(1)
    await click(`${id("panel-entry")} .esp-link`)
    expect(find(id("panel-detail")).getAttribute("aria-label")).toBe("Details of company-1")
  })

  it("tells leadership, connections and a failed start in its header", async () => {
    const { client } = await open()
    client?.setLeader(false)
    client?.setStatus({ ...someStates, connections: { open: 4, max: 4, waiting: 2 } })
    client?.setPhase({ phase: "failed", message: "The worker bundle is missing: run build:worker." })
    await settled()
    const header = find(".esp-header").textContent ?? ""
    for (const part of ["follower", "4 of 4 connections open, 2 waiting", "run build:worker"])
      expect(header).toContain(part)
    expect(find(id("sync-status")).dataset["state"]).toBe("error")
  })

  it("forgets what it showed when the user signs out, and leaves nothing behind when it goes", async () => {
    const { espalier, wrapper, client } = await open()
    await click(row("company-2"))
    await click(id("panel-retry"))
    expect(find(".esp-message").textContent).toBe("Asked to retry company-2.")
    espalier.setClient(null)
    await settled()
    expect(find(id("panel")).textContent).not.toContain("company-2")
    expect((find(id("panel-pause")) as HTMLButtonElement).disabled).toBe(true)
    expect([all(id("panel-instance")).length, all(id("panel-detail")).length]).toEqual([0, 0])
    expect(find(".esp-empty").textContent).toContain("No engine is connected")
    espalier.setClient(client)
    await settled()
    expect(all(id("panel-detail")).length).toBe(0)
    wrapper.unmount()
    expect([all(id("panel")).length, client?.listeners]).toEqual([0, 0])
  })

  it("draws every view, and says in each what there is to say", async () => {
    const client = makeClient()
    client.answerWith((sql) =>
      sql.includes("pg_total") || sql.includes("count(*)")
        ? [{ companies: 3, folders: 9 }]
        : [{ key: ["1"], row: '{"id": "1", "name": "Acme"}' }],
    )
    client.setHolders(() => ["company-1"])
    client.setInspect(() => ({ columns: ["name"], rows: [["Acme"]], truncated: false }))
    await open(client)
    const view = async (tab: string): Promise<string> => {
      await click(id(`panel-tab-${tab}`))
      return find('[role="tabpanel"]').textContent ?? ""
    }
    expect(await view("graph")).toContain("companies")
    expect(all(id("panel-graph-node")).length).toBe(Object.keys(graph.nodes).length)
    expect(await view("network")).toContain("No request was sent yet")
    expect(await view("storage")).toContain("has not said where it stores")
    await view("rows")
    await click(".esp-data .esp-link")
    expect(find(id("panel-holders")).textContent).toContain("company-1")
    await view("console")
    await click(id("panel-run"))
    expect(find(id("panel-result")).textContent).toContain("Acme")
  })

  it("finds the rows that no instance holds", async () => {
    const client = makeClient()
    client.answerWith(() => [{ key: ["1"] }, { key: ["2"] }])
    client.setHolders((_table, [key]) => (key === "2" ? [] : ["company-1"]))
    await open(client)
    await click(id("panel-tab-rows"))
    await click(id("panel-orphans"))
    await vi.waitFor(() =>
      expect(find(id("panel-orphan-result")).textContent).toBe("1 orphan among 2 rows. 2"),
    )
  })

  it("hides ids, binding values, rows and results when told to", async () => {
    const company = "30000000-0000-4000-8000-000000000007"
    const client = makeClient()
    client.answerWith(() => [{ key: [company], row: '{"id": "1", "name": "Acme"}' }])
    client.setInspect(() => ({ columns: ["name"], rows: [["Acme"]], truncated: false }))
    await open(client)
    client.setStatus(
      statusOf(graph, [
        instance(graph, { key: `company-${company}`, node: "companies", bindings: { id: company } }),
      ]),
    )
    await settled()
    await click(id("panel-hide"))
    for (const tab of ["instances", "graph", "rows", "console"]) {
      await click(id(`panel-tab-${tab}`))
      if (tab === "console") await click(id("panel-run"))
      if (tab === "instances") await click(id("panel-instance"))
      const html = find(id("panel")).innerHTML.replaceAll("data-key", "").replaceAll("data-item", "")
      expect(find(id("panel")).textContent, tab).not.toMatch(new RegExp(`${company}|Acme`))
      expect(html.match(/(title|aria-label)="[^"]*30000000-[^"]*"/), tab).toBeNull()
    }
  })

  it("draws nothing in a production build unless the app says so, and then hides values", async () => {
    vi.stubEnv("NODE_ENV", "production")
    try {
      const client = makeClient()
      client.setStatus(someStates)
      const page = (production: boolean) =>
        mount(
          defineComponent(() => () => h(SyncPanel, { production })),
          {
            attachTo: document.body,
            global: { plugins: [createEspalier({ graph, client })] },
          },
        )
      page(false)
      expect(all(id("panel-open"))).toHaveLength(0)
      page(true)
      await click(id("panel-open"))
      expect(find(id("panel-hide")).getAttribute("aria-pressed")).toBe("true")
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it("goes back to the states of a moment, says so, and comes back to now", async () => {
    const client = makeClient()
    client.setJournal([
      { seq: 1, at: 1_000, key: "company-1", event: "desired", detail: "" },
      { seq: 2, at: 2_000, key: "company-1", event: "state", detail: "Pending → Initial on Admitted" },
      { seq: 3, at: 3_000, key: "company-1", event: "state", detail: "Initial → Live on UpToDate" },
    ])
    await open(client)
    await click(id("panel-tab-timeline"))
    const slider = find(id("panel-travel")) as HTMLInputElement
    slider.value = "2500"
    slider.dispatchEvent(new Event("input", { bubbles: true }))
    await settled()
    await click(id("panel-tab-instances"))
    expect(find(row("company-1")).dataset["state"]).toBe("Initial")
    expect(find(".esp-past").textContent).toContain("States as of")
    await click(id("panel-now"))
    expect(find(row("company-1")).dataset["state"]).toBe("Live")
  })

  it("breaks the server on purpose where the app offers it, and mends it", async () => {
    const client = makeClient()
    client.setStatus(someStates)
    let inForce: ReadonlyArray<FaultInForce> = []
    const faults: FaultControl = {
      list: async () => inForce,
      add: async (fault) => void (inForce = [{ ...fault, id: "1", happened: 0 }]),
      remove: async () => {},
      clear: async () => void (inForce = []),
    }
    const plugins = [createEspalier({ graph, client })]
    mount(
      defineComponent(() => () => h(SyncPanel, { faults })),
      { attachTo: document.body, global: { plugins } },
    )
    await click(id("panel-open"))
    await click(id("panel-tab-faults"))
    await click(".esp-presets .esp-button")
    expect(find(id("panel-fault")).textContent).toContain("drop, happened 0 times")
    await click(id("panel-mend"))
    expect([inForce, all(id("panel-fault")).length]).toEqual([[], 0])
  })

  it("re-renders one row when one of 1,000 instances changes", async () => {
    const client = makeClient()
    await open(client)
    const many = Array.from({ length: 1_000 }, (_, n) =>
      instance(graph, { key: `company-${n}`, node: "companies" }),
    )
    client.setStatus(statusOf(graph, many))
    await settled()
    const changed: Array<string | undefined> = []
    const observer = new MutationObserver((records) => {
      for (const record of records) {
        const element = record.target instanceof Element ? record.target : record.target.parentElement
        changed.push(element?.closest<HTMLElement>("[data-key]")?.dataset["key"])
      }
    })
    observer.observe(find('[role="tree"]'), {
      subtree: true,
      attributes: true,
      childList: true,
      characterData: true,
    })
    client.setStatus(
      statusOf(
        graph,
        many.map((one) => (one.key === "company-5" ? { ...one, rows: 777 } : one)),
        { generation: 2 },
      ),
    )
    await vi.waitFor(() => expect(find(row("company-5")).textContent).toContain("777"))
    observer
      .takeRecords()
      .forEach((record) =>
        changed.push(
          (record.target.parentElement ?? undefined)?.closest<HTMLElement>("[data-key]")?.dataset["key"],
        ),
      )
    observer.disconnect()
    expect(new Set(changed.filter((key) => key !== undefined))).toEqual(new Set(["company-5"]))
  })
})
