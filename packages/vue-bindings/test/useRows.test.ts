// @vitest-environment happy-dom
import { mount } from "@vue/test-utils"
import { defineComponent, h, nextTick, ref, shallowRef, watch } from "vue"
import { describe, expect, it, vi } from "vitest"
import { createEspalier } from "../src/index.ts"
import { absenceGraceMillis } from "../src/internal/liveRows.ts"
import { instance, statusOf } from "./support/FakeEngineClient.ts"
import {
  acme,
  allLive,
  birch,
  graph,
  makeClient,
  mountSetup,
  settled,
  typed,
  userId,
} from "./support/harness.ts"

const folder = (id: string, name: string, position = 0) => ({
  id,
  workspace_id: "w1",
  name,
  position,
  archived_at: null,
})
const { useRows } = typed

describe("useRows: the query", () => {
  it("reads the declared columns of the node's table with bindings, filters, order and limit", async () => {
    const client = makeClient()
    mountSetup(client, () =>
      useRows("folders", {
        bindings: { company_id: acme },
        where: { name: "x", archived_at: null },
        orderBy: [["position", "desc"], "name"],
        limit: 20,
      }),
    )
    await settled()
    expect(client.open.map(({ sql, params }) => ({ sql, params }))).toEqual([
      {
        sql:
          `select "id", "workspace_id", "name", "position", "archived_at" from "folders" where ` +
          `("workspace_id" IN (SELECT "id" FROM "workspaces" WHERE "company_id" = $1::text::uuid)) ` +
          `and "name" = $2 and "archived_at" is null order by "position" desc, "name" asc, "id" limit 20`,
        params: [acme, "x"],
      },
    ])
  })

  it.each([
    ["an unknown column to order by", { orderBy: "name; drop table folders" }, /orderBy names "name; drop/],
    ["an unknown direction", { orderBy: [["name", "desc; --"]] }, /neither "asc" nor "desc"/],
    ["an inherited name as a direction", { orderBy: [["name", "constructor"]] }, /neither "asc" nor "desc"/],
    ["an unknown column to filter by", { where: { nope: 1 } }, /where names "nope"/],
    ["a limit that is no whole number", { limit: 1.5 }, /limit 1.5/],
    ["an unknown binding", { bindings: { workspace_id: acme } }, /workspace_id/],
  ])("publishes %s as an error and reads nothing", async (_what, options, message) => {
    const client = makeClient()
    const { result } = mountSetup(client, () => useRows("folders", options as object))
    await settled()
    expect(result.error.value?.message).toMatch(message)
    expect([result.pending.value, result.isEmpty.value]).toEqual([false, false])
    expect(client.asked).toBe(0)
  })

  it("reads nothing and leases nothing while a binding or a filter value is not known", async () => {
    const client = makeClient()
    const company = ref<string>()
    const { result } = mountSetup(client, () => useRows("folders", { bindings: { company_id: company } }))
    await settled()
    expect([client.asked, client.leases.length, result.pending.value]).toEqual([0, 0, true])
    company.value = acme
    await settled()
    expect(client.leases).toEqual([{ node: "folders", bindings: { company_id: acme } }])
    expect(client.open).toHaveLength(1)
  })
})

describe("useRows: keeping rows fresh", () => {
  it("reads again when a commit touches its table or a table on the path, and not otherwise", async () => {
    const client = makeClient()
    client.answerWith(() => [folder("f1", "a")])
    const { result } = mountSetup(client, () => useRows("folders", { bindings: { company_id: acme } }))
    await settled()
    expect(client.asked).toBe(1)
    client.commit("memberships")
    await settled()
    expect(client.asked).toBe(1)
    client.answerWith(() => [folder("f1", "a"), folder("f2", "b")])
    client.commit("workspaces")
    await settled()
    expect(client.asked).toBe(2)
    client.commit("folders", "companies")
    await settled()
    expect(client.asked).toBe(3)
    expect(result.rows.value.map((row) => row.name)).toEqual(["a", "b"])
  })

  it("keeps one read in flight and at most one more, however many commits arrive", async () => {
    const client = makeClient()
    const { result } = mountSetup(client, () => useRows("companies"))
    await settled()
    for (let n = 0; n < 50; n += 1) client.commit("companies")
    await settled()
    expect(client.open).toHaveLength(1)
    client.open[0]?.resolve([{ id: acme, name: "old", created_at: null }])
    await settled()
    expect([client.asked, client.open.length]).toEqual([2, 1])
    client.open[0]?.resolve([{ id: acme, name: "new", created_at: null }])
    await settled()
    expect([client.asked, client.open.length]).toEqual([2, 0])
    expect(result.rows.value[0]?.name).toBe("new")
  })

  it("drops the answer to a superseded question and never flashes empty on a change of options", async () => {
    const client = makeClient()
    client.setStatus(allLive)
    const company = ref(acme)
    const { result } = mountSetup(client, () => useRows("folders", { bindings: { company_id: company } }))
    const seen: Array<ReadonlyArray<string>> = []
    watch(result.rows, (rows) => void seen.push(rows.map((row) => row.name)), { flush: "sync" })
    await settled()
    client.open[0]?.resolve([folder("f1", "of acme")])
    await settled()
    company.value = birch
    await settled()
    company.value = acme
    await settled()
    expect([result.pending.value, result.isEmpty.value, result.rows.value.length]).toEqual([true, false, 1])
    client.open[0]?.resolve([folder("f9", "of birch")])
    await settled()
    client.open[0]?.resolve([folder("f1", "of acme, again")])
    await settled()
    expect(result.pending.value).toBe(false)
    expect(seen).toEqual([["of acme"], ["of acme, again"]])
  })

  it("costs one read when several options change in one step, and none when they change to equal ones", async () => {
    const client = makeClient()
    client.answerWith(() => [])
    const limit = ref(1)
    const options = shallowRef<{ name: string }>({ name: "a" })
    mountSetup(client, () => useRows("folders", { limit, where: () => ({ name: options.value.name }) }))
    await settled()
    limit.value = 2
    options.value = { name: "b" }
    await settled()
    expect(client.asked).toBe(2)
    options.value = { name: "b" }
    await settled()
    expect(client.asked).toBe(2)
  })

  it("keeps the identity of rows that did not change, and of the list when nothing did", async () => {
    const client = makeClient()
    const at = new Date(5)
    const rows = (second: string) => [
      { id: "1", name: "a", created_at: at },
      { id: "2", name: second, created_at: at },
    ]
    client.answerWith(() => rows("b"))
    const { result } = mountSetup(client, () => useRows("companies"))
    await settled()
    const first = result.rows.value
    await result.refresh()
    expect(result.rows.value).toBe(first)
    client.answerWith(() => [{ id: "0", name: "new", created_at: at }, ...rows("c")])
    await result.refresh()
    expect(result.rows.value[1]).toBe(first[0])
    expect(result.rows.value[2]).not.toBe(first[1])
  })

  it("re-renders one row component when one of 10,000 rows changes", async () => {
    const client = makeClient()
    client.setStatus(allLive)
    let name = "old"
    const many = Array.from({ length: 10_000 }, (_, n) => folder(`f${n}`, `n${n}`))
    client.answerWith(() => many.map((row) => (row.id === "f7000" ? { ...row, name } : row)))
    const renders = { count: 0 }
    const Row = defineComponent({
      props: { row: { type: Object, required: true } },
      setup: (props) => () => {
        renders.count += 1
        return h("li", String(props.row["name"]))
      },
    })
    const List = defineComponent(() => {
      const { rows } = useRows("folders")
      return () =>
        h(
          "ul",
          rows.value.map((row) => h(Row, { key: row.id, row })),
        )
    })
    const wrapper = mount(List, { global: { plugins: [createEspalier({ graph, client })] } })
    await settled()
    expect(renders.count).toBe(10_000)
    name = "new"
    client.commit("folders")
    await settled()
    expect(renders.count).toBe(10_001)
    expect(wrapper.findAll("li")[7000]?.text()).toBe("new")
  })
})

describe("useRows: empty, pending and failed are three things", () => {
  it("is pending, not empty, while the rows are still on their way", async () => {
    const client = makeClient()
    client.answerWith(() => [])
    const { result } = mountSetup(client, () => useRows("folders", { bindings: { company_id: acme } }))
    await settled()
    expect([result.pending.value, result.isEmpty.value]).toEqual([true, false])
    const syncing = {
      node: "folders",
      key: "f",
      bindings: { company_id: acme },
      state: "Syncing",
      lastUpToDateAt: null,
    } as const
    client.setStatus(statusOf(graph, [instance(graph, syncing)]))
    await settled()
    expect([result.pending.value, result.isEmpty.value]).toEqual([true, false])
  })

  it("reads once more after up-to-date before it calls the result empty", async () => {
    const client = makeClient()
    client.answerWith(() => [])
    const { result } = mountSetup(client, () => useRows("folders", { bindings: { company_id: acme } }))
    await settled()
    client.answerWith(null)
    client.setStatus(allLive)
    await settled()
    expect([result.pending.value, result.isEmpty.value]).toEqual([true, false])
    client.open[0]?.resolve([])
    await settled()
    expect([result.pending.value, result.isEmpty.value]).toEqual([false, true])
  })

  it("waits a named grace for an instance that does not exist yet", async () => {
    vi.useFakeTimers()
    try {
      const client = makeClient()
      client.answerWith(() => [])
      client.setStatus(allLive)
      const { result } = mountSetup(client, () => useRows("folders", { bindings: { company_id: birch } }))
      await settled()
      vi.advanceTimersByTime(absenceGraceMillis - 1)
      await settled()
      expect([result.pending.value, result.isEmpty.value]).toEqual([true, false])
      vi.advanceTimersByTime(1)
      await settled()
      expect([result.pending.value, result.isEmpty.value]).toEqual([false, true])
    } finally {
      vi.useRealTimers()
    }
  })

  it("reports a failed read, keeps the rows it has, and recovers", async () => {
    const client = makeClient()
    client.setStatus(allLive)
    client.answerWith(() => [folder("f1", "a")])
    const { result } = mountSetup(client, () => useRows("folders"))
    await settled()
    client.answerWith(null)
    client.commit("folders")
    await settled()
    client.open[0]?.reject(new Error("no such column"))
    await settled()
    expect(result.error.value?.message).toBe("no such column")
    expect([result.rows.value.length, result.pending.value, result.isEmpty.value]).toEqual([1, false, false])
    client.answerWith(() => [folder("f1", "b")])
    await result.refresh()
    expect([result.error.value, result.rows.value[0]?.name]).toEqual([null, "b"])
  })

  it("reports an instance that halted before it held anything, with the engine's words", async () => {
    const client = makeClient()
    client.answerWith(() => [])
    const error = { reason: "ShapeRejected", message: "unknown column" }
    const halted = {
      node: "mine",
      key: "user-memberships",
      state: "Halted",
      lastUpToDateAt: null,
      error,
    } as const
    client.setStatus(statusOf(graph, [instance(graph, halted)]))
    const { result } = mountSetup(client, () => useRows("mine"))
    await settled()
    expect(result.error.value).toMatchObject({ key: "user-memberships", reason: "ShapeRejected" })
    expect([result.pending.value, result.isEmpty.value]).toEqual([false, false])
  })
})

describe("useRows: leases, clean-up and clients", () => {
  it("leases what it shows, moves the lease with its bindings and gives it back on unmount", async () => {
    const client = makeClient()
    const company = ref(acme)
    const { wrapper } = mountSetup(client, () =>
      useRows("folders", { bindings: () => ({ company_id: company.value }) }),
    )
    await nextTick()
    expect(client.leases).toEqual([{ node: "folders", bindings: { company_id: acme } }])
    company.value = birch
    await nextTick()
    expect(client.leases).toEqual([{ node: "folders", bindings: { company_id: birch } }])
    wrapper.unmount()
    expect(client.leases).toEqual([])
  })

  it("leases nothing where told not to", () => {
    const client = makeClient()
    mountSetup(client, () => useRows("folders", { lease: false }))
    expect(client.leases).toEqual([])
  })

  it("leaves no listener, lease or late answer behind", async () => {
    const client = makeClient()
    const { wrapper, result } = mountSetup(client, () => useRows("companies"))
    await settled()
    const waiting = result.refresh()
    wrapper.unmount()
    await waiting
    expect([client.listeners, client.leases.length]).toEqual([0, 0])
    client.open[0]?.resolve([{ id: "1", name: "late", created_at: null }])
    await settled()
    expect(result.rows.value).toEqual([])
    client.commit("companies")
    await settled()
    expect(client.asked).toBe(1)
  })

  it("shows no row of the former user after a change of client, not for one flush", async () => {
    const [ada, ben] = [makeClient(), makeClient()]
    ada.setStatus(allLive)
    ada.answerWith(() => [{ id: acme, name: "of Ada", created_at: null }])
    const espalier = createEspalier({ graph, client: ada })
    const rendered: Array<string> = []
    const List = defineComponent(() => {
      const { rows } = useRows("companies")
      return () => {
        const text = rows.value.map((row) => row.name).join()
        rendered.push(text)
        return h("p", text)
      }
    })
    const wrapper = mount(List, { global: { plugins: [espalier] } })
    await settled()
    expect(wrapper.text()).toBe("of Ada")
    ada.answerWith(null)
    ada.commit("companies")
    await settled()
    const late = ada.open[0]
    rendered.length = 0
    espalier.setClient(null)
    await nextTick()
    expect(wrapper.text()).toBe("")
    espalier.setClient(ben)
    late?.resolve([{ id: acme, name: "of Ada, late", created_at: null }])
    await settled()
    ben.open[0]?.resolve([{ id: birch, name: "of Ben", created_at: null }])
    await settled()
    expect(wrapper.text()).toBe("of Ben")
    expect(rendered.filter((text) => text.includes("Ada"))).toEqual([])
    expect([ada.listeners, ada.leases.length, ben.leases.length]).toEqual([0, 0, 1])
  })

  it("holds no row of the former user once the client is exchanged for another, not even before a flush", async () => {
    const [ada, ben] = [makeClient(), makeClient()]
    ada.answerWith(() => [{ id: acme, name: "of Ada", created_at: null }])
    const { result, espalier } = mountSetup(ada, () => useRows("companies"))
    await settled()
    ada.answerWith(null)
    ada.commit("companies")
    await settled()
    expect([result.rows.value.length, ada.open.length]).toEqual([1, 1])
    espalier.setClient(ben)
    expect([result.rows.value, result.pending.value]).toEqual([[], true])
    ada.open[0]?.resolve([{ id: acme, name: "of Ada, late", created_at: null }])
    await settled()
    expect([result.rows.value, result.pending.value, ben.open.length]).toEqual([[], true, 1])
    ben.open[0]?.resolve([])
    await settled()
    expect(result.rows.value).toEqual([])
  })

  it("finishes the read of a client that answers at once after a swap in the same tick", async () => {
    const [ada, ben] = [makeClient(), makeClient()]
    ben.answerWith(() => [{ id: birch, name: "of Ben", created_at: null }])
    const { result, espalier } = mountSetup(ada, () => useRows("companies"))
    espalier.setClient(ben)
    await settled()
    expect([ada.asked, result.rows.value.map((row) => row.name)]).toEqual([0, ["of Ben"]])
    expect(userId).toBe(ben.params["userId"])
  })
})
