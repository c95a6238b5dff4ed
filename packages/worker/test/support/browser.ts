/**
 * Chromium for end-to-end tests: found where distributions put it, started the same way everywhere. Nothing
 * about any app in here.
 */
import { existsSync } from "node:fs"
import { chromium, type Browser } from "playwright-core"

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]

/** Where the browser is, or undefined. `CHROMIUM_PATH` goes before the usual places. */
export const chromiumPath = (): string | undefined =>
  process.env["CHROMIUM_PATH"] ?? places.find((place) => existsSync(place))

/** How every Chromium of the tests is started. */
export const chromiumArguments: ReadonlyArray<string> = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

/**
 * Starts a headless Chromium. Close it at the end.
 *
 * @throws Error that says how to get one when none is installed.
 */
export const launchChromium = (): Promise<Browser> => {
  const executablePath = chromiumPath()
  if (executablePath === undefined) {
    throw new Error("No Chromium found. `apt-get install -y chromium`, or set CHROMIUM_PATH.")
  }
  return chromium.launch({
    executablePath,
    args: [...chromiumArguments],
  })
}
