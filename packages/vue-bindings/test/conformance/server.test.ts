// @vitest-environment node
/** The same drivers where there is no page and no worker. */
import { createSSRApp, defineComponent, h, ref, Suspense } from "vue"
import { renderToString } from "vue/server-renderer"
import { describe, expect, it } from "vitest"
import { createEspalier, SyncBoundary, type AwaitableRows } from "../../src/index.ts"
import { acme, allLive, graph, makeClient } from "../support/harness.ts"
import type { ShownRow } from "./contract.ts"
import { drivers } from "./drivers.ts"

const facts = (live: AwaitableRows<ShownRow>): string =>
  [live.rows.value.length, live.pending.value, live.isEmpty.value, live.error.value].map(String).join(" ")

describe.each(drivers)("$name on a server", (driver) => {
  it("renders as pending without a client, awaited or not", async () => {
    const plain = defineComponent(() => {
      const live = driver.use(ref(acme))
      return () => h("p", facts(live))
    })
    const awaited = defineComponent({
      async setup() {
        const live = driver.use(ref(acme))
        await live
        return () => h("p", facts(live))
      },
    })
    const page = defineComponent(() => () => h("main", [h(plain), h(Suspense, () => h(awaited))]))
    const html = await renderToString(createSSRApp(page).use(createEspalier({ graph })))
    expect(html).toBe("<main><p>0 true false null</p><p>0 true false null</p></main>")
  })

  it("asks nothing of a client that is there", async () => {
    const client = makeClient()
    client.setStatus(allLive)
    const page = defineComponent(() => {
      const live = driver.use(ref(acme))
      return () => h("p", facts(live))
    })
    await renderToString(createSSRApp(page).use(createEspalier({ graph, client })))
    expect([client.asked, client.leases.length, client.listeners]).toEqual([0, 0, 0])
  })

  it("shows the pending slot of SyncBoundary", async () => {
    const page = defineComponent(() => {
      const live = driver.use(ref(acme))
      return () => h(SyncBoundary<ShownRow>, { of: live }, { pending: () => h("p", "waiting") })
    })
    expect(await renderToString(createSSRApp(page).use(createEspalier({ graph })))).toContain(
      "<p>waiting</p>",
    )
  })
})
