/**
 * The panel in a real browser: accessible in every view, both themes and both sizes; usable by keyboard alone; and true at rest
 * after a thousand instances changed a hundred times a second.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { launchChromium } from "../../worker/test/support/browser.ts"
import { startPanelSite, type PanelSite } from "./support/panelSite.ts"
import { busyStatus, stateOf } from "./support/scene.ts"
import type {} from "./support/sceneControls.ts"

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

const views = ["instances", "graph", "timeline", "network", "rows", "storage", "console", "faults"] as const
const sizes = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const

interface Violation {
  readonly id: string
  readonly impact: string
  readonly nodes: ReadonlyArray<{ readonly html: string; readonly failureSummary: string }>
}

/** Serious and critical findings of axe-core, in words. */
const findings = async (page: Page): Promise<ReadonlyArray<string>> => {
  // Evaluated by the driver, which the page's own policy does not concern.
  await page.evaluate(axeSource)
  const violations = await page.evaluate(async () => {
    const holder = window as unknown as {
      axe: { run: (options: object) => Promise<{ violations: Array<Violation> }> }
    }
    return (await holder.axe.run({ resultTypes: ["violations"] })).violations
  })
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
    )
}

describe("The panel in a browser", () => {
  let site: PanelSite
  let browser: Browser

  const open = async (size: keyof typeof sizes, theme: "light" | "dark"): Promise<Page> => {
    const page = await browser.newPage({
      viewport: sizes[size],
      colorScheme: theme,
      reducedMotion: "reduce",
      bypassCSP: true,
    })
    await page.goto(site.url)
    await page.evaluate(() => window.scene.play())
    return page
  }

  beforeAll(async () => {
    ;[site, browser] = await Promise.all([startPanelSite(), launchChromium()])
  })
  afterAll(async () => {
    await browser?.close()
    await site?.close()
  })

  for (const size of ["desktop", "phone"] as const) {
    for (const theme of ["light", "dark"] as const) {
      it(`has no serious accessibility issue in any view: ${size}, ${theme}`, async () => {
        const page = await open(size, theme)
        await page.getByTestId("panel-open").click()
        const found: Record<string, ReadonlyArray<string>> = {}
        for (const view of views) {
          await page.getByTestId(`panel-tab-${view}`).click()
          await page.locator(`.esp-body[data-view="${view}"]`).waitFor()
          if (view === "rows") await page.locator(".esp-data .esp-link").first().click()
          if (view === "console") {
            await page.getByTestId("panel-run").click()
            await page.getByTestId("panel-result").waitFor()
          }
          if (view === "network") await page.locator(".esp-track-head").first().click()
          found[view] = await findings(page)
        }
        await page.getByTestId("panel-tab-instances").click()
        await page.locator('[data-testid="panel-instance"][data-state="Backoff"]').last().click()
        await page.getByTestId("panel-detail").waitFor()
        found["detail"] = await findings(page)
        expect(found).toEqual(Object.fromEntries([...views, "detail"].map((view) => [view, []])))
        await page.close()
      })
    }
  }

  it("is used by keyboard alone: opened, every view reached, a statement run, a detail opened and left", async () => {
    const page = await open("desktop", "light")
    const focused = (): Promise<string> =>
      page.evaluate(
        () => document.activeElement?.getAttribute("data-testid") ?? document.activeElement?.tagName ?? "",
      )
    await page.getByTestId("panel-open").focus()
    await page.keyboard.press("Enter")
    await page.getByTestId("panel").waitFor()
    await page.getByTestId("panel-tab-instances").focus()
    const reached = ["instances"]
    for (const _ of views.slice(1)) {
      await page.keyboard.press("ArrowRight")
      reached.push((await focused()).replace("panel-tab-", ""))
    }
    expect(reached).toEqual(views)
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("Tab")
    expect(await focused()).toBe("panel-sql")
    await page.keyboard.type(" where true")
    await page.keyboard.press("Control+Enter")
    await page.getByTestId("panel-result").waitFor()
    await page.getByTestId("panel-tab-console").focus()
    await page.keyboard.press("Home")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    for (const _ of [1, 2, 3]) await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.getByTestId("panel-detail").waitFor()
    await page.keyboard.press("Escape")
    expect(await page.getByTestId("panel-detail").count()).toBe(0)
    expect(await focused()).toBe("panel-instance")
    await page.keyboard.press("Escape")
    expect(await focused()).toBe("panel-open")
    await page.close()
  })

  it("says the truth at rest after 1,000 instances changed a hundred times a second, and draws few of them", async () => {
    const page = await open("desktop", "dark")
    const [count, ticks] = [1_000, 200]
    await page.getByTestId("panel-open").click()
    await page.evaluate((run) => window.scene.run(run), { count, ticks, everyMillis: 10 })
    await page.evaluate(() => window.scene.settled())
    const wanted = new Map<string, number>()
    for (const { state } of Object.values(busyStatus(count, ticks - 1).instances)) {
      wanted.set(state, (wanted.get(state) ?? 0) + 1)
    }
    const chips = (await page.locator(".esp-counts .esp-chip").allTextContents()).map((text) => text.trim())
    expect([...chips].sort()).toEqual([...wanted].map(([state, many]) => `${many} ${state}`).sort())
    expect(await page.getByTestId("panel-instance").count()).toBeLessThan(100)
    const tree = page.getByRole("tree")
    await tree.evaluate((element) => element.scrollTo(0, element.scrollHeight))
    const last = page.locator(`[data-testid="panel-instance"][data-key$="${count - 1}"]`)
    await last.waitFor()
    expect(await last.getAttribute("data-state")).toBe(stateOf(count - 1, ticks - 1))
    expect(await last.getAttribute("aria-setsize")).toBe(String(count))
    await page.getByTestId("panel-tab-graph").click()
    const groups = page.locator('[data-node="companies"] [data-testid="panel-graph-group"]')
    await groups.first().waitFor()
    expect((await groups.allTextContents()).length).toBe(wanted.size)
    await page.close()
  })
})
