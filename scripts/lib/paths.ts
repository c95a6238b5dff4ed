/**
 * Where things are in the repository. The scripts are the only callers; nothing here touches the disk except to look.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The repository's root, whatever the current directory is. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "")

/** An absolute path from one relative to the root. */
export const at = (...parts: ReadonlyArray<string>): string => join(root, ...parts)

/** Folder of the linked binaries of the root's dependencies, the pinned Node among them. */
export const binFolder = at("node_modules", ".bin")

/** The environment of child processes: the pinned Node and the root's tools come first on PATH. */
export const childEnv = (extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${binFolder}:${process.env["PATH"] ?? ""}`,
  NUXT_TELEMETRY_DISABLED: "1",
  ...extra,
})

/** Paths of Chromium, most specific first; a test run needs one of them. */
const chromiumPlaces: ReadonlyArray<string> = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
]

/** The browser for the end-to-end tests: `CHROMIUM_PATH` if set, else a usual place; null when there is none. */
export const findChromium = (): string | null => {
  const named = process.env["CHROMIUM_PATH"]
  if (named !== undefined && named !== "") return existsSync(named) ? named : null
  return chromiumPlaces.find((place) => existsSync(place)) ?? null
}

/** What to tell someone who has no Chromium. */
export const chromiumHelp =
  "No Chromium found. Install one (Debian, Ubuntu: `apt-get install -y chromium`) or set CHROMIUM_PATH to its binary."
