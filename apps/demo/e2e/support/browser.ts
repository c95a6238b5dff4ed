/**
 * Chromium for the end-to-end tests: launching it, signing in, reading the local database and waiting on conditions. All waits
 * are on states of the world with a bound; nothing here sleeps to let something happen.
 */
import { existsSync } from "node:fs"
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core"
import { expect, vi } from "vitest"

/** Bounds of waits, in milliseconds. Generous: machines that run tests are slow and busy. */
export const within = { start: 90_000, sync: 45_000, ui: 20_000 } as const

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]

export const launchChromium = (): Promise<Browser> => {
  const executablePath = process.env["CHROMIUM_PATH"] ?? places.find((place) => existsSync(place))
  if (executablePath === undefined) {
    throw new Error("No Chromium found. `apt-get install -y chromium`, or set CHROMIUM_PATH.")
  }
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic"] })
}

/** The engine's client as the demo leaves it for the console. */
interface ConsoleClient {
  readonly isLeader: boolean
  readonly query: (
    sql: string,
    params?: ReadonlyArray<unknown>,
  ) => Promise<ReadonlyArray<Record<string, unknown>>>
}

declare global {
  interface Window {
    espalier?: ConsoleClient
  }
}

/** A page that remembers what went wrong in it. */
export interface Tab {
  readonly page: Page
  /** Uncaught errors and console errors, network noise left out. */
  readonly errors: ReadonlyArray<string>
}

/** Opens a tab. Failed requests are not errors here: several tests stop servers on purpose. */
export const openTab = async (context: BrowserContext, url: string): Promise<Tab> => {
  const page = await context.newPage()
  const errors: Array<string> = []
  page.on("pageerror", (error) => errors.push(error.message))
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|net::ERR/.test(message.text())) {
      errors.push(message.text())
    }
  })
  await page.goto(url)
  return { page, errors }
}

/** Signs in by a click on the person's card and waits for the overview. */
export const signIn = async (page: Page, userId: string): Promise<void> => {
  await page.locator(`[data-testid=sign-in-as][data-user="${userId}"]`).click({ timeout: within.start })
  await page.getByTestId("sync-status").first().waitFor({ timeout: within.start })
}

/** Waits until `read` answers `wanted`; unlike `expect.poll` it may be used in hooks, too. Fails with the last difference. */
export const until = async (
  read: () => Promise<unknown>,
  wanted: unknown,
  timeout: number,
): Promise<void> => {
  await vi.waitFor(async () => expect(await read()).toEqual(wanted), { timeout, interval: 100 })
}

/** The graph's roll-up as the page shows it; null while there is none. */
export const shownState = (page: Page): Promise<string | null> =>
  page.evaluate(() => document.querySelector("[data-testid=sync-status]")?.getAttribute("data-state") ?? null)

export const untilState = (page: Page, state: string, timeout: number = within.sync): Promise<void> =>
  until(() => shownState(page), state, timeout)

/** SQL against the Postgres in this page. */
export const query = (
  page: Page,
  sql: string,
  params: ReadonlyArray<unknown> = [],
): Promise<ReadonlyArray<Record<string, unknown>>> =>
  page.evaluate(
    async ([text, values]) => {
      if (window.espalier === undefined) throw new Error("nobody is signed in on this page")
      return window.espalier.query(text, values)
    },
    [sql, params] as const,
  )

export const isLeader = (page: Page): Promise<boolean> =>
  page.evaluate(() => window.espalier?.isLeader === true)

/** How many elements with this test id the page shows. */
export const shown = (page: Page, testId: string): Promise<number> => page.getByTestId(testId).count()
