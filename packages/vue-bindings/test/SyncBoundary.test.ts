// @vitest-environment happy-dom
/** The boundary around async children; with `of` it is held to the conformance suite. */
import { flushPromises, mount } from "@vue/test-utils"
import { defineComponent, h } from "vue"
import { describe, expect, it } from "vitest"
import { createEspalier, SyncBoundary } from "../src/index.ts"
import { acme, allLive, graph, makeClient, typed } from "./support/harness.ts"

describe("<SyncBoundary> around an async child", () => {
  it("shows the pending slot until the child is ready", async () => {
    const client = makeClient()
    client.setStatus(allLive)
    const Child = defineComponent({
      async setup() {
        const { rows } = await typed.useRows("companies", { bindings: { id: acme } })
        return () => h("p", rows.value.map((row) => row.name).join())
      },
    })
    const wrapper = mount(
      defineComponent(
        () => () => h(SyncBoundary, null, { default: () => h(Child), pending: () => h("p", "waiting") }),
      ),
      { global: { plugins: [createEspalier({ graph, client })] } },
    )
    await flushPromises()
    expect(wrapper.text()).toBe("waiting")
    client.open[0]?.resolve([{ id: acme, name: "Acme", created_at: null }])
    await flushPromises()
    expect(wrapper.text()).toBe("Acme")
    wrapper.unmount()
    expect([client.listeners, client.leases.length]).toEqual([0, 0])
  })

  it("shows what a child throws, and mounts it anew on retry", async () => {
    let attempts = 0
    const Child = defineComponent({
      async setup() {
        attempts += 1
        if (attempts === 1) throw new Error("broken")
        return () => h("p", "fine")
      },
    })
    const wrapper = mount(
      defineComponent(
        () => () =>
          h(SyncBoundary, null, {
            default: () => h(Child),
            error: ({ error, retry }: { readonly error: Error; readonly retry: () => void }) =>
              h("button", { onClick: retry }, error.message),
          }),
      ),
      { global: { plugins: [createEspalier({ graph })] } },
    )
    await flushPromises()
    expect(wrapper.find("button").text()).toBe("broken")
    await wrapper.find("button").trigger("click")
    await flushPromises()
    expect(wrapper.text()).toBe("fine")
  })

  it("lets an error pass on when it has no slot for it", async () => {
    const seen: Array<string> = []
    const Child = defineComponent({
      async setup() {
        throw new Error("passed on")
      },
    })
    mount(
      defineComponent(() => () => h(SyncBoundary, null, { default: () => h(Child) })),
      {
        global: {
          plugins: [createEspalier({ graph })],
          config: { errorHandler: (error) => void seen.push((error as Error).message) },
        },
      },
    )
    await flushPromises()
    expect(seen).toEqual(["passed on"])
  })
})
