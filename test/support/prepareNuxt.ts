/**
 * Makes the apps' generated tsconfig files before the first test of a fresh checkout: their sources are transformed by the
 * rules of `tsconfig.json` of each app, which refer to them. Does nothing once they are there.
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const apps = ["demo", "playground"].map((name) =>
  fileURLToPath(new URL(`../../apps/${name}/`, import.meta.url)),
)

const prepare = async (app: string): Promise<void> => {
  if (existsSync(`${app}.nuxt/tsconfig.app.json`)) return
  await promisify(execFile)(process.execPath, [`${app}node_modules/nuxt/bin/nuxt.mjs`, "prepare"], {
    cwd: app,
    env: { ...process.env, NUXT_TELEMETRY_DISABLED: "1" },
  })
}

export default async (): Promise<void> => {
  for (const app of apps) await prepare(app)
}
