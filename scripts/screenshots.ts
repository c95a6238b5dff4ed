/**
 * `pnpm screenshots`: pictures of the running demo for README and docs, so that they never go stale. Starts the built demo with
 * an empty server, drives it in Chromium at phone and desktop width, light and dark, through every page, every view of the panel
 * and the tour, and writes `docs/images/*.webp`, small enough to be kept in the repository.
 */
import { mkdirSync, statSync, writeFileSync } from "node:fs"
import type { Browser, Page } from "playwright-core"
import { launchChromium, signIn, within } from "../apps/demo/e2e/support/browser.ts"
import { startDemo } from "../apps/demo/e2e/support/demo.ts"
import { main, readOptions } from "./lib/cli.ts"
import { at } from "./lib/paths.ts"

const usage = `Usage: pnpm screenshots [--out DIR]

Takes pictures of the built demo (run \`pnpm build\` first).
  --out DIR  where to write them (default docs/images)`

const sizes = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const
const themes = ["light", "dark"] as const

/** Largest picture, in bytes; one that is larger is taken again with less quality. */
const maxBytes = 60_000
const qualities = [80, 65, 50, 35] as const

/** A seeded person with three companies. */
const person = "10000000-0000-4000-8000-000000000001"

interface Shot {
  readonly name: string
  readonly show: (page: Page) => Promise<void>
}

const view = (name: string, ready: (page: Page) => Promise<void>): Shot => ({
  name: `panel-${name}`,
  show: async (page) => {
    await page.getByTestId(`panel-tab-${name}`).click()
    await page.locator(`.esp-body[data-view="${name}"]`).waitFor()
    await ready(page)
  },
})

const shots: ReadonlyArray<Shot> = [
  { name: "overview", show: (page) => page.getByTestId("company").first().waitFor() },
  {
    name: "tour",
    show: async (page) => {
      await page.getByTestId("tour-open").click()
      await page.getByTestId("tour-break").click()
      await page.locator("[data-testid=tour][data-stage=broken]").waitFor({ timeout: within.sync })
      await page.getByTestId("offline-banner").waitFor({ timeout: within.sync })
    },
  },
  {
    name: "company",
    show: async (page) => {
      await page.getByTestId("tour-mend").click()
      await page.locator("[data-testid=tour][data-stage=mended]").waitFor({ timeout: within.start })
      await page.getByTestId("tour-close").click()
      await page.getByRole("link", { name: "Harbor & Pine" }).first().click()
      await page.getByTestId("folder").first().waitFor()
    },
  },
  {
    name: "panel-instances",
    show: async (page) => {
      await page.getByTestId("panel-open").click()
      await page.getByTestId("panel-instance").first().waitFor()
    },
  },
  {
    name: "panel-instance",
    show: async (page) => {
      await page.locator('[data-testid="panel-instance"][data-key$="-folders"]').first().click()
      await page.getByTestId("panel-stays").waitFor()
      await page.locator(".esp-code").waitFor()
    },
  },
  {
    name: "panel-graph",
    show: async (page) => {
      // From the details, which cover the tabs of a phone.
      await page.keyboard.press("Escape")
      await page.getByTestId("panel-tab-graph").click()
      await page.getByTestId("panel-graph-node").first().waitFor()
    },
  },
  view("timeline", (page) => page.getByTestId("panel-entry").first().waitFor()),
  view("network", (page) => page.getByTestId("panel-track").first().waitFor()),
  view("rows", async (page) => {
    await page.locator(".esp-data .esp-link").first().click()
    await page.getByTestId("panel-holder").first().waitFor()
  }),
  view("storage", (page) => page.locator(".esp-data tbody tr").first().waitFor()),
  view("console", async (page) => {
    await page.getByTestId("panel-sql").fill("select name, slug, created_at from companies order by name")
    await page.getByTestId("panel-run").click()
    await page.getByTestId("panel-result").waitFor()
  }),
  view("faults", (page) => page.getByRole("button", { name: "Cut the line" }).waitFor()),
]

/** The page as WebP, as good as its size allows. Playwright itself knows only PNG and JPEG. */
const photograph = async (page: Page, path: string): Promise<void> => {
  const session = await page.context().newCDPSession(page)
  try {
    for (const quality of qualities) {
      const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality })
      writeFileSync(path, Buffer.from(data, "base64"))
      if (statSync(path).size <= maxBytes) return
    }
  } finally {
    await session.detach()
  }
}

const photographAll = async (browser: Browser, url: string, out: string): Promise<number> => {
  let taken = 0
  for (const [size, viewport] of Object.entries(sizes))
    for (const theme of themes) {
      const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: "reduce" })
      const page = await context.newPage()
      const take = async (name: string): Promise<void> => {
        // The pointer would leave a hover on whatever was clicked last.
        await page.mouse.move(0, 0)
        await photograph(page, `${out}/${name}-${size}-${theme}.webp`)
        taken++
      }
      await page.goto(url)
      await page.getByTestId("sign-in-as").first().waitFor({ timeout: within.start })
      await take("sign-in")
      await signIn(page, person)
      await page
        .locator("[data-testid=sync-status][data-state=live]")
        .first()
        .waitFor({ timeout: within.start })
      for (const { name, show } of shots) {
        await show(page)
        await take(name)
      }
      await context.close()
    }
  return taken
}

main(async () => {
  const { out } = readOptions(usage, { out: { type: "string", default: at("docs/images") } })
  mkdirSync(out, { recursive: true })
  const demo = await startDemo()
  const browser = await launchChromium()
  try {
    console.log(`${await photographAll(browser, demo.url, out)} pictures in ${out}`)
    return 0
  } finally {
    await browser.close()
    await demo.stop()
  }
})
