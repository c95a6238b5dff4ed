// @vitest-environment node
import { createSSRApp, defineComponent, h } from "vue"
import { renderToString } from "vue/server-renderer"
import { describe, expect, it } from "vitest"
import {
  createEspalier,
  sql,
  useExplain,
  useInstance,
  useJournal,
  useLiveQuery,
  useSyncStatus,
} from "../src/index.ts"
import { acme, allLive, graph, makeClient, typed } from "./support/harness.ts"

const { useLease, useNode, useRows } = typed

const Page = defineComponent(() => {
  const sync = useSyncStatus()
  const { rows, pending, isEmpty, error } = useRows("folders", { bindings: { company_id: acme } })
  const live = useLiveQuery(sql`select 1 from folders`)
  const node = useNode("folders")
  const one = useInstance("company-1")
  useLease("companies")
  useExplain("company-1")
  useJournal()
  return () =>
    h(
      "p",
      [
        sync.state.value,
        rows.value.length,
        pending.value,
        isEmpty.value,
        error.value,
        live.pending.value,
        node.state.value,
        one.state.value,
      ]
        .map(String)
        .join(" "),
    )
})

describe("on a server", () => {
  it("renders empty and pending without a client, and throws nothing", async () => {
    const app = createSSRApp(Page).use(createEspalier({ graph }))
    expect(await renderToString(app)).toBe("<p>idle 0 true false null true idle null</p>")
  })

  it("reads the status of a client that is there, and subscribes, queries and leases nothing", async () => {
    const client = makeClient()
    client.setStatus(allLive)
    const app = createSSRApp(Page).use(createEspalier({ graph, client: () => client }))
    expect(await renderToString(app)).toMatch(/^<p>live 0 true false null true live/)
    expect([client.listeners, client.leases.length, client.asked]).toEqual([0, 0, 0])
  })
})
