// @vitest-environment happy-dom
/** What an app says to the engine about itself: storage, credentials, parameters. */
import { ref } from "vue"
import { describe, expect, it } from "vitest"
import type { RequestCredentials, StorageStatus } from "@espalier/worker"
import { useCredentials, useParams, useStorage } from "../src/index.ts"
import { instance, statusOf } from "./support/FakeEngineClient.ts"
import { acme, allLive, graph, makeClient, mountSetup, settled, typed, userId } from "./support/harness.ts"

const storage: StorageStatus = {
  backend: "idb",
  reason: "IndexedDB works here",
  durability: "relaxed",
  persisted: false,
  usageBytes: 250,
  quotaBytes: 1_000,
  level: "ok",
  evictions: [],
}

describe("useStorage", () => {
  it("follows the engine's report and knows nothing before it", () => {
    const client = makeClient()
    const { result } = mountSetup(client, () => useStorage())
    expect([result.level.value, result.share.value, result.persisted.value]).toEqual([null, null, null])
    client.setStorage(storage)
    expect([result.level.value, result.share.value, result.persisted.value]).toEqual(["ok", 0.25, false])
    client.setStorage({
      ...storage,
      level: "full",
      quotaBytes: null,
      evictions: [{ at: 1, key: "a", rows: 2, reason: "space" }],
    })
    expect([result.level.value, result.share.value, result.evictions.value.length]).toEqual(["full", null, 1])
  })

  it("gives up rows of what nobody wants, and says no otherwise or without a client", async () => {
    const client = makeClient()
    client.setStatus(
      statusOf(graph, [instance(graph, { key: "company-old", node: "companies", desired: false })]),
    )
    const { result, espalier } = mountSetup(client, () => useStorage())
    expect(await result.evict("company-old")).toBe(true)
    expect(await result.evict("company-unknown")).toBe(false)
    espalier.setClient(null)
    expect(await result.evict("company-old")).toBe(false)
    expect(result.storage.value).toBe(null)
  })
})

describe("useCredentials", () => {
  const given = (client: ReturnType<typeof makeClient>) =>
    client.commands.filter(([name]) => name === "setCredentials").map(([, credentials]) => credentials)

  it("hands over what a source says, when it changes and to every new client, and nothing while it is unknown", async () => {
    const [first, second] = [makeClient(), makeClient()]
    const token = ref<string>()
    const source = (): RequestCredentials | null =>
      token.value === undefined ? null : { headers: { authorization: `Bearer ${token.value}` } }
    const { espalier } = mountSetup(first, () => useCredentials(source))
    await settled()
    expect(given(first)).toEqual([])
    token.value = "one"
    await settled()
    token.value = "two"
    await settled()
    expect(given(first)).toEqual([
      { headers: { authorization: "Bearer one" } },
      { headers: { authorization: "Bearer two" } },
    ])
    espalier.setClient(second)
    await settled()
    expect(given(second)).toEqual([{ headers: { authorization: "Bearer two" } }])
  })

  it("says when the server refuses the present ones", () => {
    const client = makeClient()
    const { result } = mountSetup(client, () => useCredentials())
    client.setStatus(allLive)
    expect(result.needed.value).toBe(false)
    client.setStatus({ ...allLive, pauseReasons: ["auth"] })
    expect(result.needed.value).toBe(true)
    const error = { reason: "Unauthorised" as const, message: "no", retryable: false }
    client.setStatus(
      statusOf(graph, [
        instance(graph, { key: "company-1", node: "companies", state: "Halted", error: error as never }),
      ]),
    )
    expect(result.needed.value).toBe(true)
  })

  it("keeps the failure of a hand-over until one works", async () => {
    const client = makeClient()
    const token = ref("one")
    const failing = { ...client, call: async () => Promise.reject(new Error("no leader answers")) }
    const { result, espalier } = mountSetup(failing, () =>
      useCredentials(() => ({ params: { token: token.value } })),
    )
    await settled()
    expect(result.error.value?.message).toBe("no leader answers")
    espalier.setClient(client)
    await settled()
    expect(result.error.value).toBe(null)
  })
})

describe("useParams", () => {
  it("shows the engine's parameters, changes them, and passes on a refusal", async () => {
    const client = makeClient()
    const { result } = mountSetup(client, () => useParams())
    expect(result.params.value).toEqual({ userId })
    expect(await result.setParams({ year: "2026" })).toBe(true)
    expect(result.params.value).toEqual({ userId, year: "2026" })
    client.refuseParams()
    expect(await result.setParams({ userId: "somebody else" })).toBe(false)
    expect(result.params.value["userId"]).toBe(userId)
  })

  it("asks for rows anew when a parameter that a filter names changes", async () => {
    const client = makeClient()
    mountSetup(client, () => typed.useRows("mine"))
    await settled()
    await client.setParams({ userId: acme })
    await settled()
    client.open[0]?.resolve([])
    await settled()
    expect(client.open.at(-1)?.params).toEqual([acme])
  })
})
