/**
 * Proves that the floors hold: for each folder, a file that reaches where it must not is planted in an empty copy of the
 * layout, and the linter with the repository's own configuration must report exactly those files. A rule that stops
 * matching (a renamed folder, a changed pattern) fails here and not a year later.
 */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "./support/tree.ts"

const engine = "packages/engine/src"

/** [file that imports, what it imports]: each must be reported. */
const forbidden: ReadonlyArray<readonly [file: string, specifier: string]> = [
  [`${engine}/graph/a.ts`, "../protocol/Shape.ts"],
  [`${engine}/graph/b.ts`, "effect/Array"],
  [`${engine}/protocol/a.ts`, "../machine/transition.ts"],
  [`${engine}/protocol/b.ts`, "../ports/LocalStore.ts"],
  [`${engine}/protocol/c.ts`, "effect"],
  [`${engine}/protocol/d.ts`, "node:fs"],
  [`${engine}/machine/a.ts`, "../ports/LocalStore.ts"],
  [`${engine}/machine/b.ts`, "../reconciler/Reconciler.ts"],
  [`${engine}/ports/a.ts`, "../machine/transition.ts"],
  [`${engine}/ports/b.ts`, "../adapters/pglite/index.ts"],
  [`${engine}/ports/c.ts`, "@electric-sql/pglite"],
  [`${engine}/reconciler/a.ts`, "../adapters/memory/index.ts"],
  [`${engine}/reconciler/b.ts`, "@electric-sql/client"],
  [`${engine}/reconciler/c.ts`, "effect"],
  [`${engine}/adapters/electric/a.ts`, "../../reconciler/Reconciler.ts"],
  [`${engine}/adapters/electric/b.ts`, "../../machine/transition.ts"],
  [`${engine}/adapters/pglite/a.ts`, "../../Engine.ts"],
  [`${engine}/adapters/pglite/b.ts`, "effect"],
  [`${engine}/adapters/pglite/c.ts`, "node:fs"],
  [`${engine}/adapters/node/a.ts`, "../../reconciler/Reconciler.ts"],
  [`${engine}/Engine.ts`, "node:fs"],
  [`${engine}/index.ts`, "@espalier/worker"],
  ["packages/gateway/src/a.ts", "@espalier/engine"],
  ["packages/gateway/src/b.ts", "@espalier/engine/pglite"],
  ["packages/gateway/src/c.ts", "@espalier/worker"],
  ["packages/gateway/src/d.ts", "effect"],
  ["packages/dev-server/src/a.ts", "@espalier/engine/graph"],
  ["packages/dev-server/src/b.ts", "@espalier/engine"],
  ["packages/dev-server/src/c.ts", "@espalier/gateway"],
  ["packages/worker/src/a.ts", "@espalier/vue"],
  ["packages/worker/src/host/a.ts", "effect"],
  ["packages/worker/src/client/a.ts", "effect/Effect"],
  ["packages/worker/src/client/b.ts", "@espalier/engine"],
  ["packages/vue-bindings/src/a.ts", "effect/Effect"],
  ["packages/vue-bindings/src/b.ts", "@espalier/engine/protocol"],
  ["packages/vue-bindings/src/c.ts", "@espalier/engine"],
  ["packages/vue-bindings/src/d.ts", "@espalier/gateway"],
  ["apps/demo/app/a.ts", "@espalier/engine"],
  ["apps/demo/server/a.ts", "@espalier/dev-server"],
  ["apps/demo/app/b.ts", "../../../packages/worker/src/contract.ts"],
]

/** The same, allowed: none may be reported. */
const allowed: ReadonlyArray<readonly [file: string, specifier: string]> = [
  [`${engine}/graph/ok.ts`, "./Table.ts"],
  [`${engine}/adapters/node/ok.ts`, "node:fs"],
  [`${engine}/protocol/ok.ts`, "../graph/index.ts"],
  [`${engine}/protocol/ok2.ts`, "effect/Schema"],
  [`${engine}/machine/ok.ts`, "../protocol/ShapeError.ts"],
  [`${engine}/ports/ok.ts`, "../protocol/Checkpoint.ts"],
  [`${engine}/reconciler/ok.ts`, "../machine/transition.ts"],
  [`${engine}/reconciler/ok2.ts`, "../ports/LocalStore.ts"],
  [`${engine}/adapters/electric/ok.ts`, "../../ports/ShapeSource.ts"],
  [`${engine}/adapters/electric/ok2.ts`, "@electric-sql/client"],
  ["packages/gateway/src/ok.ts", "@espalier/engine/compile"],
  ["packages/gateway/src/ok2.ts", "@espalier/engine/graph"],
  ["packages/dev-server/src/ok.ts", "@espalier/engine/protocol"],
  ["packages/worker/src/host/ok.ts", "@espalier/engine/pglite"],
  ["packages/vue-bindings/src/ok.ts", "@espalier/worker/client"],
  ["packages/vue-bindings/src/ok2.ts", "@espalier/engine/compile"],
  ["apps/demo/app/ok.ts", "@espalier/vue"],
  ["apps/demo/server/ok.ts", "@espalier/gateway"],
]

describe("Floors", () => {
  let folder = ""
  let reported: ReadonlyMap<string, string> = new Map()

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "espalier-floors-"))
    cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"))
    for (const [file, specifier] of [...forbidden, ...allowed]) {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      writeFileSync(join(folder, file), `import * as it from "${specifier}"\nexport const planted = it\n`)
    }
    reported = await lint(folder)
  }, 60_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each(forbidden)("refuses in %s an import of %s", (file) => {
    expect(reported.get(file) ?? "nothing reported").toContain("no-restricted-imports")
  })

  it.each(allowed)("lets %s import %s", (file) => {
    expect(reported.get(file) ?? "").not.toContain("no-restricted-imports")
  })

  it("reports a cycle", async () => {
    const cyclic = mkdtempSync(join(tmpdir(), "espalier-cycle-"))
    cpSync(join(root, ".oxlintrc.json"), join(cyclic, ".oxlintrc.json"))
    writeFileSync(join(cyclic, "a.ts"), 'import { b } from "./b.ts"\nexport const a = (): number => b()\n')
    writeFileSync(join(cyclic, "b.ts"), 'import { a } from "./a.ts"\nexport const b = (): number => a()\n')
    const found = await lint(cyclic)
    rmSync(cyclic, { recursive: true, force: true })
    expect(found.get("a.ts")).toContain("no-cycle")
  })
})

/** The codes oxlint reports, by file. */
const lint = (cwd: string): Promise<ReadonlyMap<string, string>> =>
  new Promise((resolve, reject) => {
    const bin = join(root, "node_modules", ".bin")
    const env = { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` }
    execFile(process.execPath, [join(bin, "oxlint"), "-f", "json"], { cwd, env }, (_, stdout, stderr) => {
      try {
        const { diagnostics } = JSON.parse(stdout) as {
          diagnostics: ReadonlyArray<{ readonly code: string; readonly filename: string }>
        }
        const codes = new Map<string, string>()
        for (const { code, filename } of diagnostics) {
          codes.set(filename, `${codes.get(filename) ?? ""} ${code}`)
        }
        resolve(codes)
      } catch {
        reject(new Error(`oxlint did not answer with JSON:\n${stdout}\n${stderr}`))
      }
    })
  })
