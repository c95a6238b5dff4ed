import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { bundleWorker } from "../build/bundle.ts"

describe("bundleWorker", () => {
  let dir: string
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "espalier-bundle-"))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  it("writes one module without imports, its map, PGlite's assets and a prepared database", async () => {
    await bundleWorker({ outdir: dir, measure: false })
    assert.deepEqual(readdirSync(dir).toSorted(), [
      "initdb.wasm",
      "pglite.bundle.js",
      "pglite.bundle.js.map",
      "pglite.data",
      "pglite.prepared.tar.gz",
      "pglite.wasm",
    ])
    const script = readFileSync(join(dir, "pglite.bundle.js"), "utf8")
    assert.notMatch(script, /^import\b|\bfrom\s*"(node:|@|effect)/m)
  })

  it("refuses an entry that would still import something at run time", async () => {
    const entry = join(dir, "leftover.ts")
    writeFileSync(entry, 'import { readFileSync } from "node:fs"\nconsole.log(readFileSync)\n')
    const error = await bundleWorker({ entry, outdir: join(dir, "refused"), measure: false }).catch(
      (cause: unknown) => cause,
    )
    assert.instanceOf(error, Error)
    assert.match(error.message, /node:fs/)
  })
})
