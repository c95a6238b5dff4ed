/** What the store takes besides time: bytes of provenance per row and holder, memory of a large load, and what idle instances cost. */
import type { PGlite } from "@electric-sql/pglite"
import { startLookalike } from "../../lib/lookalike.ts"
import {
  atMost,
  collectGarbage,
  inRounds,
  type Measure,
  measureOf,
  ratios,
  type SuiteOptions,
  timed,
} from "../../lib/measure.ts"
import { emptyDatabase, openOurs, shareOf, wideInstance } from "../../lib/ours.ts"
import { companyOf, snapshotOf, wideDdl, wideRows } from "../../lib/wideRows.ts"
import { copyFrom, csvOf } from "../../peers/rawCopy.ts"
import { applySnapshot } from "./apply.ts"
import { syncOurs } from "./endToEnd.ts"

/** Bytes of everything in our schema, indexes included. */
const ownBytes = async (pglite: PGlite): Promise<number> => {
  const found = await pglite.query<{ readonly bytes: number }>(
    `select coalesce(sum(pg_total_relation_size(oid)), 0)::float8 as bytes from pg_class
     where relnamespace = 'espalier'::regnamespace and relkind = 'r'`,
  )
  return found.rows[0]?.bytes ?? Number.NaN
}

const bytesPerRow = async (count: number, holders: 1 | 2): Promise<number> => {
  const rows = wideRows(count)
  const ours = await openOurs()
  const before = await ownBytes(ours.pglite)
  for (const holder of ["one", "two"].slice(0, holders))
    await applySnapshot(
      ours.commit,
      wideInstance(holder, holders === 1 ? companyOf(0) : null),
      snapshotOf(rows),
    )
  await ours.pglite.exec("vacuum full espalier.stage_company_members")
  const bytes = await ownBytes(ours.pglite)
  await ours.close()
  return (bytes - before) / (count * holders)
}

/** `provenance.bytes.*`: per row and holder, after loading; staging that was emptied is not counted. */
export const measureBytes = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const measures: Array<Measure> = []
  if (options.wants("provenance.bytes.disjoint"))
    measures.push(
      measureOf("provenance.bytes.disjoint", [await bytesPerRow(options.rows, 1)], "bytes", atMost(24)),
    )
  if (options.wants("provenance.bytes.overlap"))
    measures.push(
      measureOf("provenance.bytes.overlap", [await bytesPerRow(options.rows, 2)], "bytes", atMost(120)),
    )
  return measures
}

/** Highest heap and external memory, in MB, while `work` runs. */
const peakOf = async (work: () => Promise<unknown>): Promise<number> => {
  collectGarbage()
  let peak = 0
  const look = (): void => {
    const { arrayBuffers, external, heapUsed } = process.memoryUsage()
    peak = Math.max(peak, heapUsed + Math.max(external, arrayBuffers))
  }
  const timer = setInterval(look, 20)
  look()
  await work()
  look()
  clearInterval(timer)
  return peak / 1024 / 1024
}

/** `memory.apply-1m-mb`: peak of loading over HTTP, minus that of `COPY`ing the same rows chunk by chunk. Ten times the suite's rows. */
export const measureMemory = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const id = "memory.apply-1m-mb"
  if (!options.wants(id)) return []
  const rows = options.rows * 10
  const csvRows = 10_000
  const server = await startLookalike({ shapes: 1, rowsPerShape: rows, rowsPerChunk: 5_000 })
  const ours = await openOurs()
  const oursPeak = await peakOf(() => syncOurs(ours, server.url, 1))
  await ours.close()
  await server.stop()
  const plain = await emptyDatabase()
  await plain.exec(wideDdl("plain"))
  const copyPeak = await peakOf(async () => {
    for (let chunk = 0; chunk < rows / csvRows; chunk += 1) {
      await copyFrom(plain, "plain", csvOf(wideRows(csvRows, chunk)), "csv")
      if (chunk % 10 === 9) await plain.exec("checkpoint")
    }
  })
  await plain.close()
  options.log(`  ${rows} rows: ours ${oursPeak.toFixed(0)} MB, COPY ${copyPeak.toFixed(0)} MB`)
  return [measureOf(id, [oursPeak - copyPeak], `MB over COPY at ${rows} rows`, atMost(96))]
}

/** `idle.1000-instances`: one-row commits with a thousand idle instances beside, by the same with none. */
export const measureIdle = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const id = "idle.1000-instances"
  if (!options.wants(id)) return []
  const open = async (idle: number) => {
    const ours = await openOurs()
    for (let index = 0; index < idle; index += 100) {
      const shares = Array.from({ length: 100 }, (_, offset) =>
        shareOf(
          wideInstance(`idle-${index + offset}`, companyOf(index + offset + 2)),
          snapshotOf(wideRows(1, index + offset + 2)),
          "0_0",
          true,
        ),
      )
      await ours.commit(...shares)
    }
    for (const key of ["one", "two"])
      await ours.commit(shareOf(wideInstance(key, null), snapshotOf(wideRows(500, key.length)), "0_0", true))
    return ours
  }
  const [alone, crowded] = [await open(0), await open(1_000)]
  const ids = wideRows(500, 3).map((row) => row.id)
  let lsn = 1_000
  const commits = (ours: Awaited<ReturnType<typeof open>>) => () =>
    timed(async () => {
      for (let index = 0; index < 200; index += 1) {
        lsn += 1
        const value = { id: ids[index] ?? "", role: `role ${lsn}` }
        const headers = { operation: "update", lsn: String(lsn), op_position: 0, txids: [lsn] } as const
        await ours.commit(
          shareOf(wideInstance("one", null), [{ key: value.id, value, headers }], `${lsn}_0`, true),
        )
      }
    })
  const times = await inRounds(options, { alone: commits(alone), crowded: commits(crowded) })
  await alone.close()
  await crowded.close()
  return [measureOf(id, ratios(times.crowded, times.alone), "x time", atMost(1.1))]
}
