/**
 * The sync server dies, the page server stays: everything that was synced is still readable, marked offline, also after a
 * reload; when the server is back the page is live again, with no row twice and without downloading everything anew.
 */
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  launchChromium,
  openTab,
  query,
  shown,
  signIn,
  untilState,
  within,
  type Tab,
} from "./support/browser.ts"
import { startDemo, type Demo } from "./support/demo.ts"
import { startShapeLog, type ShapeLog } from "./support/shapeLog.ts"
import { amara, change, differences, harbor, localTables, untilEqual } from "./support/truth.ts"

/** Folders added before the outage, so that a second full download could not hide among small ones. */
const bulk = 1_000

describe("The demo while the sync server is away", () => {
  let demo: Demo
  let log: ShapeLog
  let browser: Browser
  let tab: Tab
  let before: Awaited<ReturnType<typeof localTables>>
  let firstRows = 0

  beforeAll(async () => {
    ;[demo, browser] = await Promise.all([startDemo(), launchChromium()])
    log = await startShapeLog(demo.url)
    tab = await openTab(await browser.newContext(), log.url)
    await signIn(tab.page, amara)
    await untilState(tab.page, "live", within.start)
    const [workspace] = await query(tab.page, "select id from workspaces where company_id = $1 limit 1", [
      harbor,
    ])
    await change(demo.url, "POST", `/workspaces/${String(workspace?.["id"])}/folders/bulk`, { count: bulk })
    await untilEqual(tab.page, demo.url, amara)
    before = await localTables(tab.page)
    firstRows = log.answered.reduce((sum, request) => sum + request.rows, 0)
  })
  afterAll(async () => {
    await browser?.close()
    await log?.close()
    await demo?.stop()
  })

  it("says offline when the server dies, and keeps every row", async () => {
    expect(firstRows).toBeGreaterThan(bulk)
    await demo.stopSync("SIGKILL")
    await untilState(tab.page, "offline")
    expect(await localTables(tab.page)).toEqual(before)
    expect((await fetch(`${demo.url}/api/health`)).status).toBe(200)
    expect(demo.stderr()).toContain("sync server has stopped")
  })

  it("shows everything after a reload without the server, marked offline", async () => {
    await tab.page.reload()
    await expect.poll(() => shown(tab.page, "company"), { timeout: within.start }).toBe(3)
    await untilState(tab.page, "offline")
    expect(await localTables(tab.page)).toEqual(before)
    await tab.page.goto(`${log.url}/companies/${harbor}`)
    for (const testId of ["member", "group", "workspace", "folder"]) {
      await expect
        .poll(() => shown(tab.page, testId), { timeout: within.ui, message: testId })
        .toBeGreaterThan(0)
    }
  })

  it("is live again when the server is back, with no row twice and no full download", async () => {
    log.clear()
    await demo.startSync()
    await untilState(tab.page, "live", within.start)
    expect(await differences(tab.page, demo.url, amara)).toEqual([])
    const rows = log.answered.reduce((sum, request) => sum + request.rows, 0)
    const fromScratch = log.answered.filter((request) => request.offset === "-1" && request.status === 200)
    expect({ rows, fromScratch }).toEqual({
      rows: expect.toSatisfy((n: number) => n < bulk / 10),
      fromScratch: [],
    })
  })

  it("follows changes after the outage", async () => {
    await change(demo.url, "PATCH", `/companies/${harbor}`, { name: "Harbor & Pine & Co" })
    await untilEqual(tab.page, demo.url, amara)
    await untilState(tab.page, "live")
  })

  it("catches up with what changed while the page was closed, without a full download", async () => {
    const context = tab.page.context()
    await tab.page.close()
    const workspaces = before["workspaces"] ?? []
    await change(demo.url, "POST", `/workspaces/${String(workspaces[0]?.["id"])}/folders`, {
      name: "While you were out",
    })
    log.clear()
    tab = await openTab(context, log.url)
    await untilEqual(tab.page, demo.url, amara, within.start)
    await untilState(tab.page, "live")
    expect(log.answered.reduce((sum, request) => sum + request.rows, 0)).toBeLessThan(bulk / 10)
    expect(tab.errors).toEqual([])
  })
})
