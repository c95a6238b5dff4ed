/**
 * The life of a composable in a page: mounting and unmounting, changing parameters, `<KeepAlive>`, `<Suspense>`,
 * errors, several apps, sign-out and hot replacement. Run for every driver by `conformance.test.ts`.
 */
import { flushPromises, mount } from "@vue/test-utils"
import {
  createApp,
  defineComponent,
  effectScope,
  h,
  KeepAlive,
  ref,
  shallowRef,
  Suspense,
  type Component,
  type Ref,
} from "vue"
import { describe, expect, it } from "vitest"
import { createEspalier, SyncBoundary, type AwaitableRows } from "../../src/index.ts"
import type { FakeEngineClient } from "../support/FakeEngineClient.ts"
import { acme, allLive, birch, graph, inApp, makeClient, settled } from "../support/harness.ts"
import type { Driver, ShownRow } from "./contract.ts"

interface HotRuntime {
  readonly createRecord: (id: string, component: Component) => boolean
  readonly reload: (id: string, component: Component) => void
  readonly rerender: (id: string, render: () => unknown) => void
}

const of: Readonly<Record<string, ShownRow>> = {
  [acme]: { id: "f1", name: "of acme" },
  [birch]: { id: "f2", name: "of birch" },
}

const shown = ({ rows, pending, error, isEmpty }: AwaitableRows<ShownRow>): string =>
  rows.value.length > 0
    ? rows.value.map((row) => row.name).join(", ")
    : error.value !== null
      ? `error: ${error.value.message}`
      : isEmpty.value
        ? "empty"
        : pending.value
          ? "pending"
          : "nothing"

export const conformsInPages = (driver: Driver): void => {
  const answering = (rows: Readonly<Record<string, ShownRow>> = of): FakeEngineClient => {
    const client = makeClient()
    client.setStatus(allLive)
    client.answerWith((_sql, params) => {
      const row = rows[String(driver.companyOf(params))]
      return row === undefined ? [] : [driver.encode(row)]
    })
    return client
  }
  const list = (company: Ref<string | undefined> = ref(acme)) =>
    defineComponent(() => {
      const live = driver.use(company)
      return () => h("p", shown(live))
    })
  const awaited = (company: Ref<string | undefined> = ref(acme)) =>
    defineComponent({
      async setup() {
        const live = driver.use(company)
        await live
        return () => h("p", shown(live))
      },
    })
  const inSuspense = (inner: Component) =>
    defineComponent(
      () => () =>
        h("section", [h(Suspense, null, { default: () => h(inner), fallback: () => h("p", "waiting") })]),
    )
  /** What the plugin itself holds of a client, for as long as its app lives. */
  const plugins = (client: FakeEngineClient) => ({ global: { plugins: [createEspalier({ graph, client })] } })
  const idle = (client: FakeEngineClient): number => {
    const app = createApp({ render: () => null }).use(createEspalier({ graph, client }))
    app.mount(document.createElement("div"))
    const count = client.listeners
    app.unmount()
    return count
  }

  describe(driver.name, () => {
    it("shows rows while mounted and leaves nothing behind", async () => {
      const client = answering()
      const own = idle(client)
      const show = ref(true)
      const wrapper = mount(
        defineComponent(() => () => (show.value ? h(list()) : null)),
        plugins(client),
      )
      await settled()
      expect(wrapper.text()).toBe("of acme")
      expect(client.leases.length).toBe(driver.leases ? 1 : 0)
      show.value = false
      await settled()
      expect([client.listeners, client.leases.length]).toEqual([own, 0])
      const asked = client.asked
      client.commit(...Object.keys(graph.tables))
      await settled()
      expect(client.asked).toBe(asked)
    })

    it("forgets an answer that comes after it was unmounted", async () => {
      const client = makeClient()
      client.setStatus(allLive)
      const wrapper = mount(list(), plugins(client))
      await settled()
      const [late] = client.open
      wrapper.unmount()
      late?.resolve([driver.encode({ id: "f1", name: "late" })])
      await settled()
      expect([client.listeners, client.open.length]).toEqual([0, 0])
    })

    it("follows its parameter, keeps the old rows until the new are there, and asks nothing while it is unknown", async () => {
      const client = answering()
      const company = ref<string | undefined>()
      const seen: Array<string> = []
      const component = defineComponent(() => {
        const live = driver.use(company)
        return () => {
          seen.push(shown(live))
          return h("p", shown(live))
        }
      })
      mount(component, plugins(client))
      await settled()
      expect([client.asked, seen.at(-1)]).toEqual([0, "pending"])
      company.value = acme
      await settled()
      company.value = birch
      await settled()
      expect(seen.filter((text, index) => text !== seen[index - 1])).toEqual([
        "pending",
        "of acme",
        "of birch",
      ])
      company.value = undefined
      await settled()
      expect([seen.at(-1), client.leases.length]).toEqual(["pending", 0])
    })

    it("reads and demands nothing while KeepAlive hides it, and catches up with one read", async () => {
      const client = answering()
      const show = ref(true)
      const inner = list()
      const wrapper = mount(
        defineComponent(() => () => h(KeepAlive, () => (show.value ? h(inner) : null))),
        plugins(client),
      )
      await settled()
      expect(wrapper.text()).toBe("of acme")
      show.value = false
      await settled()
      const asked = client.asked
      client.answerWith(() => [driver.encode({ id: "f1", name: "renamed" })])
      client.commit("folders")
      client.commit("folders")
      await settled()
      expect([client.asked, client.leases.length]).toEqual([asked, 0])
      show.value = true
      await settled()
      expect(wrapper.text()).toBe("renamed")
      expect([client.asked, client.leases.length]).toEqual([asked + 1, driver.leases ? 1 : 0])
      wrapper.unmount()
      expect([client.listeners, client.leases.length]).toEqual([0, 0])
    })

    it("holds Suspense until there is an answer when it is awaited, and never again", async () => {
      const client = makeClient()
      client.setStatus(allLive)
      const company = ref(acme)
      const inner = awaited(company)
      const wrapper = mount(inSuspense(inner), plugins(client))
      await flushPromises()
      expect(wrapper.text()).toBe("waiting")
      client.open[0]?.resolve([driver.encode({ id: "f1", name: "of acme" })])
      await flushPromises()
      expect(wrapper.text()).toBe("of acme")
      company.value = birch
      await flushPromises()
      expect(wrapper.text()).toBe("of acme")
      client.open[0]?.resolve([driver.encode({ id: "f2", name: "of birch" })])
      await flushPromises()
      expect(wrapper.text()).toBe("of birch")
    })

    it("ends the wait of Suspense by a failure as well, and leaves nothing behind when unmounted in between", async () => {
      const client = makeClient()
      client.setStatus(allLive)
      const mounted = (): ReturnType<typeof mount> => mount(inSuspense(awaited()), plugins(client))
      const failing = mounted()
      await flushPromises()
      client.open[0]?.reject(new Error("no such table"))
      await flushPromises()
      expect(failing.text()).toBe("error: no such table")
      const left = mounted()
      await flushPromises()
      left.unmount()
      failing.unmount()
      expect([client.listeners, client.leases.length]).toEqual([0, 0])
    })

    it("tells an error from no rows, keeps rows it has, and recovers", async () => {
      const client = makeClient()
      client.setStatus(allLive)
      const lives: Array<AwaitableRows<ShownRow>> = []
      mount(
        defineComponent(() => {
          lives.push(driver.use(ref(acme)))
          return () => null
        }),
        plugins(client),
      )
      const live = lives[0] as AwaitableRows<ShownRow>
      const now = () => [live.rows.value.length, live.error.value?.message ?? null, live.isEmpty.value]
      await settled()
      client.open[0]?.reject(new Error("broken"))
      await settled()
      expect(now()).toEqual([0, "broken", false])
      client.answerWith(() => [])
      await live.refresh()
      expect(now()).toEqual([0, null, true])
      client.answerWith(() => [driver.encode({ id: "f1", name: "back" })])
      await live.refresh()
      expect(now()).toEqual([1, null, false])
      client.answerWith(null)
      const failed = live.refresh()
      await settled()
      client.open[0]?.reject(new Error("broken again"))
      await failed
      expect(now()).toEqual([1, "broken again", false])
    })

    it("keeps two apps on one page apart", async () => {
      const clients = [answering(), answering({ [acme]: { id: "f1", name: "of the other app" } })] as const
      const hosts = clients.map((client) => {
        const host = document.createElement("div")
        const app = createApp(list()).use(createEspalier({ graph, client }))
        app.mount(host)
        return { host, app }
      })
      await settled()
      expect(hosts.map(({ host }) => host.textContent)).toEqual(["of acme", "of the other app"])
      hosts[0]?.app.unmount()
      expect([clients[0].listeners, clients[0].leases.length]).toEqual([0, 0])
      clients[1].answerWith(() => [driver.encode({ id: "f1", name: "goes on" })])
      clients[1].commit("folders")
      await settled()
      expect(hosts[1]?.host.textContent).toBe("goes on")
      hosts[1]?.app.unmount()
    })

    it("drops the rows of a person who signed out in the same step", async () => {
      const client = answering()
      const espalier = createEspalier({ graph, client })
      const lives: Array<AwaitableRows<ShownRow>> = []
      mount(
        defineComponent(() => {
          lives.push(driver.use(ref(acme)))
          return () => null
        }),
        { global: { plugins: [espalier] } },
      )
      await settled()
      expect(lives[0]?.rows.value).toHaveLength(1)
      espalier.setClient(null)
      expect([
        lives[0]?.rows.value.length,
        lives[0]?.pending.value,
        client.listeners,
        client.leases.length,
      ]).toEqual([0, true, 0, 0])
    })

    it("survives a hot replacement of its component without a leak", async () => {
      const hot = (globalThis as { readonly __VUE_HMR_RUNTIME__?: HotRuntime }).__VUE_HMR_RUNTIME__
      if (hot === undefined) throw new Error("This build of Vue has no hot replacement.")
      const client = answering()
      const id = `conformance ${driver.name}`
      const version = (prefix: string, company: string): Component => ({
        __hmrId: id,
        setup() {
          const live = driver.use(ref(company))
          return () => h("p", `${prefix} ${shown(live)}`)
        },
      })
      const first = version("old", acme)
      hot.createRecord(id, first)
      const wrapper = mount(
        defineComponent(() => () => h("section", [h(first)])),
        plugins(client),
      )
      await settled()
      const before = client.listeners
      expect(wrapper.text()).toBe("old of acme")
      hot.reload(id, version("new", birch))
      await settled()
      expect(wrapper.text()).toBe("new of birch")
      expect([client.listeners, client.leases.length]).toEqual([before, driver.leases ? 1 : 0])
    })

    it("lives in an effect scope as well as in a component", async () => {
      const client = answering()
      const scope = effectScope()
      const espalier = createEspalier({ graph, client })
      const live = inApp(
        () => scope.run(() => driver.use(ref(acme))),
        (app) => app.use(espalier),
      )
      await live
      expect(live?.rows.value.map((row) => row.name)).toEqual(["of acme"])
      scope.stop()
      expect(client.leases).toHaveLength(0)
    })

    it("explains itself through SyncBoundary", async () => {
      const client = makeClient()
      client.setStatus(allLive)
      const component = defineComponent(() => {
        const live = shallowRef(driver.use(ref(acme)))
        return () =>
          h(
            SyncBoundary<ShownRow>,
            { of: live.value },
            {
              default: ({ rows }: { readonly rows: ReadonlyArray<ShownRow> }) =>
                h(
                  "ul",
                  rows.map((row) => h("li", row.name)),
                ),
              pending: () => h("p", "waiting"),
              empty: () => h("p", "none"),
              error: ({ error, retry }: { readonly error: Error; readonly retry: () => void }) =>
                h("button", { onClick: retry }, error.message),
            },
          )
      })
      const wrapper = mount(component, plugins(client))
      await settled()
      expect(wrapper.text()).toBe("waiting")
      client.open[0]?.reject(new Error("broken"))
      await settled()
      expect(wrapper.find("button").text()).toBe("broken")
      client.answerWith(() => [])
      await wrapper.find("button").trigger("click")
      await settled()
      expect(wrapper.text()).toBe("none")
      client.answerWith(() => [driver.encode({ id: "f1", name: "a row" })])
      client.commit("folders")
      await settled()
      expect(wrapper.find("li").text()).toBe("a row")
    })
  })
}
