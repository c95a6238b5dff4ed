/**
 * Several tabs of one person share one database and one engine: the same rows everywhere, requests from one tab's worker only,
 * and another tab takes over when that one is closed.
 */
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  isLeader,
  launchChromium,
  openTab,
  shown,
  signIn,
  untilState,
  within,
  type Tab,
} from "./support/browser.ts"
import { startDemo, type Demo } from "./support/demo.ts"
import { amara, change, harbor, localTables, untilEqual } from "./support/truth.ts"

describe("The demo in two tabs", () => {
  let demo: Demo
  let browser: Browser
  let context: BrowserContext
  let tabs: ReadonlyArray<Tab> = []
  /** Shape requests seen since the last `forget`, by the page whose worker made them. */
  const requests = new Map<Page, number>()
  const forget = (): void => requests.clear()

  const open = async (): Promise<Tab> => {
    const tab = await openTab(context, demo.url)
    return tab
  }

  beforeAll(async () => {
    ;[demo, browser] = await Promise.all([startDemo(), launchChromium()])
    context = await browser.newContext()
    context.on("page", (page) => {
      page.on("request", (request) => {
        if (request.url().includes("/v1/shape")) requests.set(page, (requests.get(page) ?? 0) + 1)
      })
    })
    const first = await open()
    await signIn(first.page, amara)
    await untilState(first.page, "live", within.start)
    tabs = [first, await open()]
  })
  afterAll(async () => {
    await browser?.close()
    await demo?.stop()
  })

  it("shows the same rows in the second tab", async () => {
    const [first, second] = tabs
    await untilState(second!.page, "live")
    await untilEqual(second!.page, demo.url, amara)
    expect(await localTables(second!.page)).toEqual(await localTables(first!.page))
    await expect.poll(() => shown(second!.page, "company"), { timeout: within.ui }).toBe(3)
  })

  it("opens connections to the server from one tab's worker only", async () => {
    const [first, second] = tabs
    expect([await isLeader(first!.page), await isLeader(second!.page)].filter(Boolean)).toHaveLength(1)
    forget()
    await change(demo.url, "PATCH", `/companies/${harbor}`, { name: "Two tabs" })
    await untilEqual(first!.page, demo.url, amara)
    await untilEqual(second!.page, demo.url, amara)
    expect([...requests.keys()].map((page) => tabs.findIndex((tab) => tab.page === page))).toEqual([0])
  })

  it("hands over when the leading tab is closed", async () => {
    const [first, second] = tabs
    const leader = (await isLeader(first!.page)) ? first! : second!
    const follower = leader === first ? second! : first!
    forget()
    await leader.page.close()
    await expect.poll(() => isLeader(follower.page), { timeout: within.sync }).toBe(true)
    await change(demo.url, "PATCH", `/companies/${harbor}`, { name: "One tab" })
    await untilEqual(follower.page, demo.url, amara)
    await untilState(follower.page, "live")
    expect(requests.get(follower.page) ?? 0).toBeGreaterThan(0)
    expect(follower.errors).toEqual([])
  })

  it("lets a third tab join the new leader", async () => {
    const third = await open()
    await untilState(third.page, "live", within.start)
    await untilEqual(third.page, demo.url, amara)
    expect(await isLeader(third.page)).toBe(false)
  })
})
