/**
 * A Chromium whose profile lasts and whose process group can be killed as an outage would: playwright closes its own browsers in order,
 * which is no kill. For tests of what a killed browser leaves in its storage.
 */
import { spawn } from "node:child_process"
import { rmSync } from "node:fs"
import { createInterface } from "node:readline"
import { chromium, type BrowserContext } from "playwright-core"
import { chromiumArguments, chromiumPath } from "./browser.ts"

export interface ChromiumProcess {
  readonly context: BrowserContext
  /** SIGKILL to the browser and all its children; resolves when the browser is gone. */
  readonly kill: () => Promise<void>
}

/** Starts one on a profile folder, which is created when it is missing. */
export const startChromium = async (profile: string): Promise<ChromiumProcess> => {
  const path = chromiumPath()
  if (path === undefined) throw new Error("No Chromium found; set CHROMIUM_PATH.")
  // What a killed browser left of its lock would make the next one wait for it.
  rmSync(`${profile}/SingletonLock`, { force: true })
  const child = spawn(
    path,
    [
      "--headless=new",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      ...chromiumArguments,
      "about:blank",
    ],
    { detached: true, stdio: ["ignore", "ignore", "pipe"] },
  )
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    } catch {
      // The group is gone already.
    }
  }
  process.once("exit", killGroup)
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      const found = /DevTools listening on (ws:\S+)/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`Chromium ended with ${code} before it listened`)))
  })
  const browser = await chromium.connectOverCDP(address)
  const [context] = browser.contexts()
  if (context === undefined) throw new Error("Chromium has no default context")
  return {
    context,
    kill: async () => {
      killGroup()
      await exited
      process.off("exit", killGroup)
      await browser.close().catch(() => undefined)
    },
  }
}
