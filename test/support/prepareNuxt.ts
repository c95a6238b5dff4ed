/**
 * Makes the demo's generated tsconfig files before the first test of a fresh checkout: the demo's sources are transformed by the
 * rules of `apps/demo/tsconfig.json`, which refers to them. Does nothing once they are there.
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const demo = fileURLToPath(new URL("../../apps/demo/", import.meta.url))

export default async (): Promise<void> => {
  if (existsSync(`${demo}.nuxt/tsconfig.app.json`)) return
  await promisify(execFile)(process.execPath, [`${demo}node_modules/nuxt/bin/nuxt.mjs`, "prepare"], {
    cwd: demo,
    env: { ...process.env, NUXT_TELEMETRY_DISABLED: "1" },
  })
}
