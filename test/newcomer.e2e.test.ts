/**
 * The path of someone new: an empty project outside the workspace, the packed packages, a graph of three tables, rules of their own, and
 * rows in a page. Nothing of the repository is reachable from there but the tarballs.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { chromium, type Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { runNode, runProgram } from "../scripts/lib/child.ts"
import { compilePackages, packPackages } from "../scripts/lib/packages.ts"
import { at, binFolder, findChromium, root } from "../scripts/lib/paths.ts"

/** Generous: the packages of the registry may have to be downloaded. */
const setUpMillis = 600_000
const bound = 60_000

const versionOf = (name: string): string =>
  new RegExp(`^  "?${name}"?: (.+)$`, "m").exec(readFileSync(at("pnpm-workspace.yaml"), "utf8"))?.[1] ?? ""

let folder: string
let server: ChildProcess
let url: string
let browser: Browser

const manifest = (tarballs: ReadonlyArray<{ readonly name: string; readonly path: string }>): string =>
  JSON.stringify({
    name: "tracker",
    private: true,
    type: "module",
    dependencies: {
      ...Object.fromEntries(tarballs.map(({ name, path }) => [name, `file:${path}`])),
      ...Object.fromEntries(
        ["@electric-sql/pglite", "effect", "vue", "vite", "typescript", "@types/node"].map((name) => [
          name,
          versionOf(name),
        ]),
      ),
    },
  })

const startServer = async (): Promise<string> => {
  server = spawn(process.execPath, ["server.ts"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] })
  let said = ""
  for await (const chunk of server.stdout ?? []) {
    said += String(chunk)
    const found = /ready (http:\S+)/.exec(said)?.[1]
    if (found !== undefined) return found
  }
  throw new Error(`the newcomer's server ended: ${said}`)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "espalier-newcomer-"))
  cpSync(at("test", "newcomer", "app"), folder, { recursive: true })
  await compilePackages()
  writeFileSync(join(folder, "package.json"), manifest(await packPackages(join(folder, "tarballs"))))
  const installed = await runProgram("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: folder,
  })
  expect(installed.code, installed.output).toBe(0)
  const executablePath = findChromium()
  if (executablePath === null) throw new Error("no Chromium")
  browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
  })
}, setUpMillis)

afterAll(async () => {
  await browser?.close()
  server?.kill()
  rmSync(folder, { recursive: true, force: true })
})

describe("a newcomer's project", () => {
  it("gets packages without a path into this repository", () => {
    for (const name of ["engine", "gateway", "dev-server", "worker", "vue"]) {
      const file = join(folder, "node_modules", "@espalier", name, "package.json")
      expect(existsSync(file), name).toBe(true)
      expect(readFileSync(file, "utf8")).not.toMatch(/workspace:|catalog:/)
      expect(readFileSync(file, "utf8")).not.toContain(root)
    }
  })

  it("type-checks, declarations of the packages included", async () => {
    const { output } = await runNode([join(binFolder, "tsc"), "-p", folder, "--pretty", "false"])
    // PGlite's own declarations name Emscripten's, which it does not depend on; everything else must be clean.
    const complaints = output
      .split("\n")
      .filter((line) => line !== "" && !line.includes("@electric-sql/pglite/dist/"))
    expect(complaints).toEqual([])
  })

  it("starts the packed command of the embedded server", async () => {
    const { code, output } = await runProgram(
      join(folder, "node_modules", ".bin", "espalier-dev-server"),
      ["--help"],
      {
        cwd: folder,
      },
    )
    expect([code, output]).toEqual([0, expect.stringContaining("espalier dev-server:")])
  })

  it("shows its own rows, and nobody else's, in a built page, and a change as it happens", async () => {
    const vite = join(folder, "node_modules", "vite", "bin", "vite.js")
    const built = await runNode([vite, "build"], { cwd: folder })
    expect(built.code, built.output).toBe(0)
    cpSync(
      join(folder, "node_modules", "@espalier", "worker", "dist", "bundle"),
      join(folder, "dist", "workers"),
      {
        recursive: true,
      },
    )
    url = await startServer()
    const page = await browser.newPage()
    await page.goto(url)
    const rows = page.locator("#rows")
    await expect
      .poll(() => rows.textContent(), { timeout: bound })
      .toBe("Garden: Water the trees (Twice a week)")
    await expect.poll(() => page.locator("#state").textContent(), { timeout: bound }).toBe("live")
    await fetch(`${url}/add`, { method: "POST" })
    await expect
      .poll(() => rows.textContent(), { timeout: bound })
      .toBe("Garden: Water the trees (Twice a week)\nGarden: Prune the roses")
    await page.close()
  })

  it("refuses rows of another owner at its gateway", async () => {
    const asked = await fetch(`${url}/v1/shape?node=issues&b.project_id=p2&offset=-1`, {
      headers: { cookie: "user=amara" },
    })
    expect([asked.status, await asked.json()]).toMatchObject([403, { code: "revoked" }])
    expect((await fetch(`${url}/v1/shape?node=projects&offset=-1`)).status).toBe(401)
  })
})
