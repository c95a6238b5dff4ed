/**
 * The main promise, in a real browser: local tables equal the rows the server lets this person see, while rows and memberships
 * change. Each check compares SQL on both sides for every local table, then what the page shows.
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
import { amara, change, cobalt, fieldnote, harbor, noor, untilEqual } from "./support/truth.ts"

describe("The demo in a browser", () => {
  let demo: Demo
  let browser: Browser
  let tab: Tab

  beforeAll(async () => {
    ;[demo, browser] = await Promise.all([startDemo(), launchChromium()])
    tab = await openTab(await browser.newContext(), demo.url)
    await signIn(tab.page, amara)
  })
  afterAll(async () => {
    await browser?.close()
    await demo?.stop()
  })

  const untilSynced = (): Promise<void> => untilEqual(tab.page, demo.url, amara)
  const count = async (sql: string, ...params: ReadonlyArray<unknown>): Promise<number> =>
    Number((await query(tab.page, `select count(*) as n from ${sql}`, params))[0]?.["n"])

  it("holds exactly the rows the server lets the person see, in every local table", async () => {
    await untilState(tab.page, "live", within.start)
    await untilSynced()
    for (const table of [
      "users",
      "people",
      "companies",
      "company_members",
      "user_groups",
      "workspaces",
      "folders",
    ]) {
      expect(await count(table), table).toBeGreaterThan(0)
    }
    expect(await count("companies where id = $1", cobalt)).toBe(0)
  })

  it("lists the person's companies and one company's rows", async () => {
    await expect.poll(() => shown(tab.page, "company"), { timeout: within.ui }).toBe(3)
    await tab.page.goto(`${demo.url}/companies/${harbor}`)
    await untilState(tab.page, "live")
    for (const [testId, table] of [
      ["member", "company_members where company_id = $1"],
      ["group", "user_groups where company_id = $1"],
      ["workspace", "workspaces where company_id = $1"],
    ] as const) {
      const held = await count(table, harbor)
      await expect.poll(() => shown(tab.page, testId), { timeout: within.ui, message: testId }).toBe(held)
    }
    await expect.poll(() => shown(tab.page, "folder"), { timeout: within.ui }).toBeGreaterThan(0)
  })

  it("lists every instance with its key in the panel", async () => {
    await tab.page.getByTestId("panel-open").first().click()
    const keys = (): Promise<ReadonlyArray<string | null>> =>
      tab.page
        .getByTestId("panel-instance")
        .evaluateAll((all) => all.map((one) => one.getAttribute("data-key")))
    const ofHarbor = ["", "-members", "-people", "-groups", "-group-members", "-workspaces", "-folders"]
    const wanted = [
      `user-${amara}`,
      `user-${amara}-memberships`,
      ...ofHarbor.map((end) => `company-${harbor}${end}`),
    ]
    await expect.poll(keys, { timeout: within.ui }).toEqual(expect.arrayContaining(wanted))
    const states = await tab.page
      .getByTestId("panel-instance")
      .evaluateAll((all) => all.map((one) => one.getAttribute("data-state")))
    expect(states).toHaveLength(2 + 3 * 7)
    await expect
      .poll(() => tab.page.locator("[data-testid=panel-instance]:not([data-state=Live])").count(), {
        timeout: within.sync,
      })
      .toBe(0)
    await tab.page.keyboard.press("Escape")
  })

  it("shows a row that is inserted, updated, moved and deleted on the server", async () => {
    const workspaces = await query(tab.page, "select id from workspaces where company_id = $1 order by id", [
      harbor,
    ])
    const [from, to] = workspaces.map(({ id }) => String(id))
    const { id } = await change(demo.url, "POST", `/workspaces/${from}/folders`, { name: "Blueprints" })
    await untilSynced()
    expect(await count("folders where id = $1 and name = 'Blueprints'", id)).toBe(1)

    await change(demo.url, "PATCH", `/folders/${String(id)}`, { name: "Drawings" })
    await untilSynced()
    expect(await count("folders where id = $1 and name = 'Drawings'", id)).toBe(1)

    await change(demo.url, "PATCH", `/folders/${String(id)}`, { workspaceId: to })
    await untilSynced()
    expect(await count("folders where id = $1 and workspace_id = $2", id, to)).toBe(1)

    await change(demo.url, "DELETE", `/folders/${String(id)}`)
    await untilSynced()
    expect(await count("folders where id = $1", id)).toBe(0)
  })

  it("follows a folder that moves between companies, and out of sight", async () => {
    const [workspace] = await query(tab.page, "select id from workspaces where company_id = $1 limit 1", [
      fieldnote,
    ])
    const [own] = await query(tab.page, "select id from workspaces where company_id = $1 limit 1", [harbor])
    const { id } = await change(demo.url, "POST", `/workspaces/${String(own?.["id"])}/folders`, {
      name: "Wanderer",
    })
    await untilSynced()
    await change(demo.url, "PATCH", `/folders/${String(id)}`, { workspaceId: workspace?.["id"] })
    await untilSynced()
    expect(await count("folders where id = $1", id)).toBe(1)
    const foreign = await change(demo.url, "GET", `/companies/${cobalt}`)
    const [elsewhere] = foreign["workspaces"] as ReadonlyArray<{ readonly id: string }>
    await change(demo.url, "PATCH", `/folders/${String(id)}`, { workspaceId: elsewhere?.id })
    await untilSynced()
    expect(await count("folders where id = $1", id)).toBe(0)
  })

  it("renames, adds and removes in every table of the tree", async () => {
    await change(demo.url, "PATCH", `/companies/${harbor}`, { name: "Harbour & Pine" })
    const group = await change(demo.url, "POST", `/companies/${harbor}/groups`, { name: "Night shift" })
    await change(demo.url, "POST", `/groups/${String(group["id"])}/members`, { userId: amara })
    const workspace = await change(demo.url, "POST", `/companies/${harbor}/workspaces`, { name: "Attic" })
    await change(demo.url, "POST", `/workspaces/${String(workspace["id"])}/folders`, { name: "Boxes" })
    await change(demo.url, "POST", `/companies/${harbor}/members`, { userId: noor })
    await untilSynced()
    expect(await count("people where id = $1", noor)).toBe(1)
    await change(demo.url, "DELETE", `/groups/${String(group["id"])}`)
    await change(demo.url, "DELETE", `/workspaces/${String(workspace["id"])}`)
    await change(demo.url, "DELETE", `/memberships/${harbor}?userId=${noor}`)
    await untilSynced()
    expect(await count("people where id = $1", noor)).toBe(0)
    expect(await count("folders where name = 'Boxes'")).toBe(0)
  })

  it("takes a thousand folders that are inserted at once", async () => {
    const [workspace] = await query(tab.page, "select id from workspaces where company_id = $1 limit 1", [
      harbor,
    ])
    const before = await count("folders")
    await change(demo.url, "POST", `/workspaces/${String(workspace?.["id"])}/folders/bulk`, { count: 1000 })
    await untilSynced()
    expect(await count("folders")).toBe(before + 1000)
  })

  it("brings a company and its whole subtree when a membership is granted", async () => {
    await tab.page.goto(demo.url)
    await change(demo.url, "POST", "/memberships", { companyId: cobalt, userId: amara })
    await untilSynced()
    expect(await count("workspaces where company_id = $1", cobalt)).toBeGreaterThan(0)
    expect(
      await count(
        "user_group_members m join user_groups g on g.id = m.group_id where g.company_id = $1",
        cobalt,
      ),
    ).toBeGreaterThan(0)
    await expect.poll(() => shown(tab.page, "company"), { timeout: within.ui }).toBe(4)
    await untilState(tab.page, "live")
  })

  it("takes the subtree away when a membership is revoked, and keeps rows another company still shares", async () => {
    const shared = await query(
      tab.page,
      `select p.id from people p where exists (select 1 from company_members m where m.user_id = p.id and m.company_id = $1)
         and exists (select 1 from company_members m where m.user_id = p.id and m.company_id <> $1) order by p.id`,
      [cobalt],
    )
    expect(shared.length).toBeGreaterThan(1)
    await change(demo.url, "DELETE", `/memberships/${cobalt}?userId=${amara}`)
    await untilSynced()
    expect(await count("companies where id = $1", cobalt)).toBe(0)
    expect(await count("company_members where company_id = $1", cobalt)).toBe(0)
    expect(await count("workspaces where company_id = $1", cobalt)).toBe(0)
    expect(
      await count(
        "people where id = any($1::uuid[])",
        shared.map(({ id }) => id),
      ),
    ).toBe(shared.length)
    await expect.poll(() => shown(tab.page, "company"), { timeout: within.ui }).toBe(3)
    await untilState(tab.page, "live")
  })

  it("grants the same company again after it was revoked", async () => {
    await change(demo.url, "POST", "/memberships", { companyId: cobalt, userId: amara })
    await untilSynced()
    await change(demo.url, "DELETE", `/memberships/${cobalt}?userId=${amara}`)
    await untilSynced()
    await expect.poll(() => shown(tab.page, "company"), { timeout: within.ui }).toBe(3)
  })

  it("removes a company that is deleted, with everything in it", async () => {
    const made = await change(demo.url, "POST", "/companies", { name: "Short-lived", ownerId: amara })
    const workspace = await change(demo.url, "POST", `/companies/${String(made["id"])}/workspaces`, {
      name: "Only one",
    })
    await change(demo.url, "POST", `/workspaces/${String(workspace["id"])}/folders`, { name: "Gone soon" })
    await untilSynced()
    expect(await count("folders where name = 'Gone soon'")).toBe(1)
    await change(demo.url, "DELETE", `/companies/${String(made["id"])}`)
    await untilSynced()
    expect(await count("folders where name = 'Gone soon'")).toBe(0)
  })

  it("shows somebody without a company an empty state, and their first company when it comes", async () => {
    const other = await openTab(await browser.newContext(), demo.url)
    await signIn(other.page, noor)
    await untilState(other.page, "live", within.start)
    await untilEqual(other.page, demo.url, noor)
    expect(await shown(other.page, "company")).toBe(0)
    await change(demo.url, "POST", "/memberships", { companyId: fieldnote, userId: noor })
    await untilEqual(other.page, demo.url, noor)
    await expect.poll(() => shown(other.page, "company"), { timeout: within.ui }).toBe(1)
    await change(demo.url, "DELETE", `/memberships/${fieldnote}?userId=${noor}`)
    await untilEqual(other.page, demo.url, noor)
    expect(other.errors).toEqual([])
    await other.page.context().close()
  })

  it("leaves no error in the page's console", () => {
    expect(tab.errors).toEqual([])
  })
})
