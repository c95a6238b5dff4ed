/**
 * The guided tour, driven as a visitor does: each step breaks the real server or the real worker, says so, and ends with the engine
 * having mended it and every row equal to the server's. Also: no serious accessibility issue on the way.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { tourSteps } from "../app/utils/tour.ts"
import {
  launchChromium,
  openTab,
  shown,
  signIn,
  until,
  untilState,
  within,
  type Tab,
} from "./support/browser.ts"
import { startDemo, type Demo } from "./support/demo.ts"
import { amara, untilEqual } from "./support/truth.ts"

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

interface Axe {
  readonly run: () => Promise<{
    readonly passes: ReadonlyArray<unknown>
    readonly violations: ReadonlyArray<{
      readonly id: string
      readonly impact: string
      readonly nodes: ReadonlyArray<{ readonly html: string }>
    }>
  }>
}

/** Serious and critical findings of axe-core, in words. */
const findings = async (page: Page): Promise<ReadonlyArray<string>> => {
  // Evaluated by the driver, which the page's own policy does not concern.
  await page.evaluate(axeSource)
  const { passes, violations } = await page.evaluate(() => (window as unknown as { axe: Axe }).axe.run())
  expect(passes.length).toBeGreaterThan(0)
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`))
}

describe("The guided tour", () => {
  let demo: Demo
  let browser: Browser
  let tab: Tab

  const stage = (): Promise<string | null> => tab.page.getByTestId("tour").getAttribute("data-stage")

  beforeAll(async () => {
    ;[demo, browser] = await Promise.all([startDemo(), launchChromium()])
    tab = await openTab(await browser.newContext({ reducedMotion: "reduce" }), demo.url)
    await signIn(tab.page, amara)
    await untilState(tab.page, "live", within.start)
    await untilEqual(tab.page, demo.url, amara)
  })
  afterAll(async () => {
    await browser?.close()
    await demo?.stop()
  })

  it("opens from the overview, in both themes and on a phone without a serious accessibility issue", async () => {
    await tab.page.getByTestId("tour-open").click()
    await tab.page.getByTestId("tour").waitFor()
    const found: Record<string, ReadonlyArray<string>> = {}
    for (const colorScheme of ["light", "dark"] as const) {
      await tab.page.emulateMedia({ colorScheme })
      for (const width of [1440, 390]) {
        await tab.page.setViewportSize({ width, height: 900 })
        found[`${colorScheme} ${width}`] = await findings(tab.page)
      }
    }
    expect(Object.values(found).flat()).toEqual([])
    await tab.page.setViewportSize({ width: 1440, height: 900 })
  })

  for (const { id, mend } of tourSteps) {
    it(`breaks and mends: ${id}`, async () => {
      expect(await tab.page.getByTestId("tour").getAttribute("data-step")).toBe(id)
      await tab.page.getByTestId("tour-break").click()
      if (mend === null) await until(stage, "mended", within.start)
      else {
        await until(stage, "broken", within.sync)
        if (id === "offline") {
          await tab.page.getByTestId("offline-banner").waitFor({ timeout: within.sync })
          expect(await shown(tab.page, "company")).toBe(3)
        }
        if (id === "revoked") await until(() => shown(tab.page, "company"), 2, within.sync)
        await tab.page.getByTestId("tour-mend").click()
        await until(stage, "mended", within.start)
      }
      await untilEqual(tab.page, demo.url, amara)
      const said = await tab.page.getByTestId("tour-said").textContent()
      // Neither the cut line nor the killed worker cost a download of what was here already.
      if (id === "offline" || id === "leader") expect(said).toContain("0 shapes fetched from the start")
      await tab.page.getByTestId("tour-next").click()
    })
  }

  it("is over after the last step, with a page that is live and knows of no error", async () => {
    expect(await shown(tab.page, "tour")).toBe(0)
    await untilState(tab.page, "live")
    expect(tab.errors).toEqual([])
  })
})
