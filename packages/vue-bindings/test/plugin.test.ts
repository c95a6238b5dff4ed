// @vitest-environment happy-dom
import { mount } from "@vue/test-utils"
import { computed, createApp, defineComponent, effectScope, h, ref } from "vue"
import { describe, expect, it } from "vitest"
import type { EngineClient } from "@espalier/worker"
import {
  createEspalier,
  defineEspalier,
  EspalierMissing,
  sql,
  useExplain,
  useInstance,
  useJournal,
  useLiveQuery,
  useRows,
  useSyncStatus,
} from "../src/index.ts"
import { instance, statusOf, type FakeEngineClient } from "./support/FakeEngineClient.ts"
import { acme, allLive, graph, inApp, makeClient, mountSetup, settled, typed } from "./support/harness.ts"

const { useLease, useNode } = typed

describe("createEspalier", () => {
  it("names the missing plugin", () => {
    expect(() => inApp(() => useSyncStatus())).toThrow(
      /useSyncStatus\(\) found no Espalier.*app\.use\(createEspalier/,
    )
    expect(() => inApp(() => useRows("companies", { name: "archive" }))).toThrow(
      /named "archive".*name: "archive"/,
    )
    expect(() => useSyncStatus()).toThrow(EspalierMissing)
    expect(() => useSyncStatus()).toThrow(/outside of setup/)
  })

  it("keeps several graphs of one app apart by name", async () => {
    const [main, archive] = [makeClient(), makeClient()]
    main.setStatus(allLive)
    archive.setStatus(statusOf(graph, [], { state: "offline" }))
    const other = defineEspalier<typeof graph>({ name: "archive" })
    const states: Array<string> = []
    const component = defineComponent(() => {
      states.push(useSyncStatus().state.value, other.useSyncStatus().state.value)
      return () => null
    })
    const plugins = [
      createEspalier({ graph, client: main }),
      createEspalier({ graph, client: archive, name: "archive" }),
    ]
    mount(component, { global: { plugins } })
    expect(states).toEqual(["live", "offline"])
  })

  it("keeps two apps on one page apart, and unmounting one leaves the other following", async () => {
    const [left, right] = [makeClient(), makeClient()]
    const app = (client: EngineClient) => {
      const host = document.createElement("div")
      const component = defineComponent(() => {
        const { state } = useSyncStatus()
        return () => h("p", state.value)
      })
      const made = createApp(component).use(createEspalier({ graph, client }))
      made.mount(host)
      return { host, made }
    }
    const [a, b] = [app(left), app(right)]
    left.setStatus(allLive)
    await settled()
    expect([a.host.textContent, b.host.textContent]).toEqual(["live", "loading"])
    a.made.unmount()
    expect(left.listeners).toBe(0)
    right.setStatus(statusOf(graph, [], { state: "offline" }))
    await settled()
    expect(b.host.textContent).toBe("offline")
    b.made.unmount()
    expect(right.listeners).toBe(0)
  })

  it("follows a client given as a ref, deep or not, or as a getter", async () => {
    const deep = ref<FakeEngineClient | null>(null)
    const espalier = createEspalier({ graph, client: computed(() => deep.value) })
    inApp(
      () => {},
      (app) => app.use(espalier),
    )
    expect(espalier.client.value).toBe(null)
    const client = makeClient()
    deep.value = client
    expect(espalier.client.value).toBe(client)
    deep.value = null
    expect([espalier.client.value, client.listeners]).toEqual([null, 0])
  })
})

describe("useSyncStatus", () => {
  it("tells state, pauses, connections, phase and leadership, and starts over with another client", async () => {
    const client = makeClient()
    const { result, espalier } = mountSetup(client, () => useSyncStatus())
    const now = () => [
      result.state.value,
      result.isLive.value,
      result.isOffline.value,
      result.ready.value,
      result.phase.value?.phase,
    ]
    expect(now()).toEqual(["loading", false, false, false, "starting"])
    client.setPhase({ phase: "ready" })
    client.setStatus(allLive)
    expect(now()).toEqual(["live", true, false, true, "ready"])
    client.setStatus({ ...allLive, state: "offline", pauseReasons: ["offline"] })
    expect([result.isOffline.value, result.pauseReasons.value, result.connections.value]).toEqual([
      true,
      ["offline"],
      { open: 2, max: 4, waiting: 0 },
    ])
    client.setLeader(false)
    expect(result.isLeader.value).toBe(false)
    espalier.setClient(null)
    expect(now()).toEqual(["idle", false, false, false, undefined])
  })

  it("is an error when the host failed to start, whatever the last status said", () => {
    const client = makeClient()
    const { result } = mountSetup(client, () => useSyncStatus())
    client.setPhase({ phase: "failed", message: "The worker bundle is missing." })
    expect(result.state.value).toBe("error")
  })

  it("does not re-render for a status that changes nothing the component reads", async () => {
    const client = makeClient()
    client.setStatus(allLive)
    let renders = 0
    const component = defineComponent(() => {
      const one = useInstance(`company-${acme}`)
      return () => h("p", `${(renders += 1)} ${one.status.value?.rows}`)
    })
    mount(component, { global: { plugins: [createEspalier({ graph, client })] } })
    client.setStatus({ ...allLive, generation: 2 })
    await settled()
    expect(renders).toBe(1)
  })
})

describe("useNode and useInstance", () => {
  it("tell a node's roll-up and its instances by bindings", () => {
    const client = makeClient()
    client.setStatus(allLive)
    const { result } = mountSetup(client, () => useNode("folders", { bindings: { company_id: acme } }))
    expect([result.state.value, result.rows.value, result.instances.value.map((one) => one.key)]).toEqual([
      "live",
      1,
      [`company-${acme}-folders`],
    ])
  })

  it("send retry and refetch for the instance they speak of, and refuse quietly without a client", async () => {
    const client = makeClient()
    client.setStatus(allLive)
    const key = ref(`company-${acme}`)
    const { result, espalier } = mountSetup(client, () => useInstance(key))
    expect(await result.retry()).toBe(true)
    key.value = "nobody"
    expect([result.status.value, await result.refetch()]).toEqual([null, false])
    expect(client.commands).toEqual([
      ["retry", `company-${acme}`],
      ["refetch", "nobody"],
    ])
    espalier.setClient(null)
    expect(await result.retry()).toBe(false)
  })
})

describe("useLease", () => {
  it("holds a lease while its scope lives, moves it with the client, and obeys `when`", () => {
    const [ada, ben] = [makeClient(), makeClient()]
    const when = ref(true)
    const { result, espalier, wrapper } = mountSetup(ada, () =>
      useLease("folders", { company_id: acme }, { when }),
    )
    expect([ada.leases, result.held.value]).toEqual([
      [{ node: "folders", bindings: { company_id: acme } }],
      true,
    ])
    espalier.setClient(ben)
    expect([ada.leases.length, ben.leases.length]).toEqual([0, 1])
    when.value = false
    expect([ben.leases.length, result.held.value]).toEqual([0, false])
    when.value = true
    wrapper.unmount()
    expect(ben.leases).toEqual([])
  })

  it("works in a bare effect scope inside the app's context", () => {
    const client = makeClient()
    const scope = effectScope()
    inApp(
      () => scope.run(() => useLease("companies")),
      (app) => app.use(createEspalier({ graph, client })),
    )
    expect(client.leases).toHaveLength(1)
    scope.stop()
    expect(client.leases).toHaveLength(0)
  })
})

describe("useLiveQuery", () => {
  it("follows refs in a template, splices fragments and re-reads for the tables it names", async () => {
    const client = makeClient()
    client.answerWith(() => [{ n: 3 }])
    const min = ref<number>()
    const mine = sql`company_id = ${acme}`
    const { result } = mountSetup(client, () =>
      useLiveQuery(
        sql<{
          n: number
        }>`select count(*) as n from Folders f join "workspaces" w on true where ${mine} and f.position > ${min}`,
      ),
    )
    await settled()
    expect([client.asked, result.pending.value]).toEqual([0, true])
    min.value = 2
    client.answerWith(null)
    await settled()
    expect(client.open[0]?.sql).toMatch(/where company_id = \$1 and f\.position > \$2$/)
    expect(client.open[0]?.params).toEqual([acme, 2])
    client.open[0]?.resolve([{ n: 3 }])
    await settled()
    expect([result.rows.value, result.pending.value]).toEqual([[{ n: 3 }], false])
    client.commit("companies")
    await settled()
    expect(client.open).toHaveLength(0)
    client.commit("workspaces")
    await settled()
    expect(client.open).toHaveLength(1)
  })

  it("keeps the identity of equal rows without a key, also when they move", async () => {
    const client = makeClient()
    client.answerWith(() => [{ a: 1 }, { a: 2 }])
    const { result } = mountSetup(client, () => useLiveQuery({ sql: "select a from folders" }))
    await settled()
    const [one, two] = result.rows.value
    client.answerWith(() => [{ a: 0 }, { a: 1 }, { a: 2 }])
    await result.refresh()
    expect([result.rows.value[1], result.rows.value[2]]).toEqual([one, two])
    expect(result.rows.value[1]).toBe(one)
  })

  it("depends on the tables it is given instead of those in the text", async () => {
    const client = makeClient()
    client.answerWith(() => [])
    mountSetup(client, () => useLiveQuery({ sql: "select * from recent()", tables: ["folders"] }))
    await settled()
    client.commit("companies")
    await settled()
    expect(client.asked).toBe(1)
    client.commit("folders")
    await settled()
    expect(client.asked).toBe(2)
  })
})

describe("useExplain and useJournal", () => {
  it("ask again when the status they depend on changes", async () => {
    const client = makeClient()
    client.setStatus(allLive)
    client.setJournal([{ seq: 1, at: 1, key: null, event: "started", detail: "" }])
    const key = `company-${acme}`
    const { result } = mountSetup(client, () => ({ explain: useExplain(key), journal: useJournal() }))
    await settled()
    expect(result.explain.explanation.value?.status?.state).toBe("Live")
    expect(result.journal.entries.value.map((entry) => entry.event)).toEqual(["started"])
    client.setJournal([
      { seq: 1, at: 1, key: null, event: "started", detail: "" },
      { seq: 2, at: 2, key, event: "failed", detail: "503" },
    ])
    const backoff = instance(graph, { key, node: "companies", state: "Backoff", attempt: 2 })
    client.setStatus(statusOf(graph, [backoff], { generation: 2 }))
    await settled()
    expect(result.explain.explanation.value?.status?.state).toBe("Backoff")
    expect(result.journal.entries.value.map((entry) => entry.event)).toEqual(["started", "failed"])
  })
})
