/**
 * `pnpm screenshots`: pictures of the running demo for README and docs, so that they never go stale. Starts the built demo with
 * an empty server, drives it in Chromium at phone and desktop width, light and dark, and writes `docs/images/*.png`.
 */
import { mkdirSync } from "node:fs"
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

/** A seeded person with three companies. */
const person = "10000000-0000-4000-8000-000000000001"

interface Shot {
  readonly name: string
  readonly show: (page: Page) => Promise<void>
}

const shots: ReadonlyArray<Shot> = [
  { name: "overview", show: (page) => page.getByTestId("company").first().waitFor() },
  {
    name: "company",
    show: async (page) => {
      await page.getByRole("link", { name: "Harbor & Pine" }).first().click()
      await page.getByTestId("folder").first().waitFor()
    },
  },
  {
    name: "panel",
    show: async (page) => {
      await page.getByTestId("panel-open").click()
      await page.getByTestId("panel-instance").first().waitFor()
    },
  },
]

const photograph = async (browser: Browser, url: string, out: string): Promise<number> => {
  let taken = 0
  for (const [size, viewport] of Object.entries(sizes))
    for (const theme of themes) {
      const context = await browser.newContext({ viewport, colorScheme: theme })
      const page = await context.newPage()
      const take = async (name: string): Promise<void> => {
        await page.screenshot({ path: `${out}/${name}-${size}-${theme}.png`, animations: "disabled" })
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
    console.log(`${await photograph(browser, demo.url, out)} pictures in ${out}`)
    return 0
  } finally {
    await browser.close()
    await demo.stop()
  }
})
