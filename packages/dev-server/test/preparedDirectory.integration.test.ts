/** The prepared data directory: made once, used by every new database, and never a reason not to start. */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PGlite } from "@electric-sql/pglite"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { discard, pgliteVersion, prepare } from "../src/db/preparedDirectory.ts"

let directory: string
let created = 0

const create = (): Promise<PGlite> => {
  created += 1
  return PGlite.create()
}

const options = (folder: string, version = "1.2.3") => ({ folder, version, create })

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "espalier-prepared-"))
  created = 0
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe("The prepared data directory", () => {
  it("is made once per version and starts a database that works", async () => {
    const folder = join(directory, "not", "there")
    const first = await prepare(options(folder))
    const second = await prepare(options(folder))
    assert.deepStrictEqual([first.problem, second.problem, created], [null, null, 1])
    assert.deepStrictEqual(readdirSync(folder), ["1.2.3.tar.gz"])
    assert.isNotNull(second.data)
    const db = await PGlite.create(second.data === null ? {} : { loadDataDir: second.data })
    await db.exec("create table t (id int primary key); insert into t values (1)")
    assert.deepStrictEqual((await db.query("select * from t")).rows, [{ id: 1 }])
    await db.close()
    await prepare(options(folder, "1.2.4"))
    assert.deepStrictEqual([created, readdirSync(folder).length], [2, 2])
  })

  it("is made anew when its file is damaged or was discarded", async () => {
    await prepare(options(directory))
    const path = join(directory, "1.2.3.tar.gz")
    writeFileSync(path, "not a gzip")
    const again = await prepare(options(directory))
    assert.match(String(again.problem), /not readable and is made anew/u)
    assert.isNotNull(again.data)
    assert.strictEqual(created, 2)
    assert.isAbove(statSync(path).size, 1_000_000)
    await discard(options(directory))
    assert.deepStrictEqual(readdirSync(directory), [])
  })

  it("is gone without, and without running initdb, where the folder cannot be written", async () => {
    const file = join(directory, "file")
    writeFileSync(file, "")
    const { data, problem } = await prepare(options(join(file, "cache")))
    assert.deepStrictEqual([data, created], [null, 0])
    assert.match(String(problem), /No prepared database can be kept/u)
  })

  it("leaves nothing behind when initdb fails", async () => {
    const failing = { ...options(directory), create: () => Promise.reject(new Error("no memory")) }
    const { data, problem } = await prepare(failing)
    assert.isNull(data)
    assert.match(String(problem), /no memory/u)
    assert.deepStrictEqual(readdirSync(directory), [])
  })

  it("is named by the version of PGlite in use", () => {
    assert.match(pgliteVersion(), /^\d+\.\d+\.\d+/u)
  })
})
