/** The settings of a database: they reach Postgres, and a directory made without them still starts. */
import { PGlite } from "@electric-sql/pglite"
import { assert, describe, it } from "@effect/vitest"
import { databaseSettings } from "../../src/adapters/pglite/index.ts"

const settings = databaseSettings(PGlite.defaultStartParams)

const names = ["file_extend_method", "max_wal_size", "min_wal_size", "shared_buffers", "wal_segment_size"]

const shown = async (pglite: PGlite): Promise<Readonly<Record<string, string>>> => {
  const { rows } = await pglite.query<{ readonly name: string; readonly value: string }>(
    "select name, current_setting(name) as value from pg_settings where name = any($1)",
    [names],
  )
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
}

describe("databaseSettings", () => {
  it("gives a new database small log segments, small buffers, and files that grow by being written", async () => {
    const pglite = await PGlite.create(settings)
    assert.deepStrictEqual(await shown(pglite), {
      file_extend_method: "write_zeros",
      max_wal_size: "16MB",
      min_wal_size: "4MB",
      shared_buffers: "32MB",
      wal_segment_size: "1MB",
    })
    await pglite.close()
  })

  it("starts a directory that was made with Postgres's own settings, and lets its files grow by being written", async () => {
    const plain = await PGlite.create()
    const directory = await plain.dumpDataDir("none")
    await plain.close()
    const pglite = await PGlite.create({ ...settings, loadDataDir: directory })
    const { file_extend_method: method, wal_segment_size: segment } = await shown(pglite)
    assert.deepStrictEqual({ method, segment }, { method: "write_zeros", segment: "16MB" })
    await pglite.close()
  })
})
