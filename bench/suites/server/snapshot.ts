/** First bytes and memory of a snapshot of a large table, on a data directory, so that the table itself is not in memory. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startServer, take } from "../../lib/devServer.ts"
import { atMost, collectGarbage, type Measure, measureOf, type SuiteOptions } from "../../lib/measure.ts"

export const snapshotIds = [
  "server.snapshot-first-byte-ms",
  "server.snapshot-peak-mb",
  "server.snapshot-live-mb",
  "server.snapshot-all-ms",
] as const

/** Memory of this process that JavaScript answers for, in MB. PGlite's own block does not grow with what is read. */
const memory = (): number => {
  const { external, heapUsed } = process.memoryUsage()
  return (heapUsed + external) / 1024 / 1024
}

/** Ten times the suite's rows. */
export const measureSnapshot = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  if (!snapshotIds.some((id) => options.wants(id))) return []
  const rows = options.rows * 10
  const folder = mkdtempSync(join(tmpdir(), "espalier-bench-"))
  const { db, server, stop } = await startServer({ allowDelete: true }, join(folder, "data"))
  await db.exec(
    "create table large (id int primary key, title text not null, n int, done boolean, at timestamptz)",
  )
  for (let from = 0; from < rows; from += 100_000) {
    await db.exec(`
      insert into large select g, 'title of row number ' || g, g % 100, g % 2 = 0, now()
      from generate_series(${from + 1}, ${Math.min(rows, from + 100_000)}) g`)
  }
  await db.exec("vacuum analyze large")
  await db.exec("checkpoint")
  const [firsts, peaks, lives, alls]: [Array<number>, Array<number>, Array<number>, Array<number>] = [
    [],
    [],
    [],
    [],
  ]
  for (let round = 0; round < Math.min(3, options.rounds); round += 1) {
    collectGarbage()
    const before = memory()
    let peak = before
    let live = before
    const timer = setInterval(() => (peak = Math.max(peak, memory())), 5)
    // What is held, apart from garbage the collector has no reason to fetch yet.
    const collecting = setInterval(() => {
      collectGarbage()
      live = Math.max(live, memory())
    }, 500)
    const start = performance.now()
    let taken = await take(server.url, { table: "large", offset: "-1" })
    firsts.push(taken.firstByteMillis)
    let bytes = taken.bytes
    while (taken.offset !== "0_inf") {
      const { handle, offset } = taken
      taken = await take(server.url, { table: "large", handle, offset })
      if (taken.status !== 200) throw new Error(`a chunk was answered ${taken.status}`)
      bytes += taken.bytes
    }
    alls.push(performance.now() - start)
    clearInterval(timer)
    clearInterval(collecting)
    peaks.push(peak - before)
    lives.push(live - before)
    options.log(
      `  ${rows} rows, ${(bytes / 1e6).toFixed(0)} MB: first byte ${firsts.at(-1)?.toFixed(0)} ms, all ${alls.at(-1)?.toFixed(0)} ms, ${peaks.at(-1)?.toFixed(0)} MB more at the peak, ${lives.at(-1)?.toFixed(0)} MB of them held`,
    )
    await fetch(`${server.url}/v1/shape?table=large`, { method: "DELETE" })
  }
  await stop()
  rmSync(folder, { recursive: true, force: true })
  const [first, peak, live, all] = snapshotIds
  return [
    measureOf(first, firsts, `ms at ${rows} rows`, atMost(1_000)),
    measureOf(peak, peaks, `MB over rest at ${rows} rows`, atMost(128)),
    measureOf(live, lives, `MB over rest at ${rows} rows`, atMost(64)),
    measureOf(all, alls, `ms at ${rows} rows`, atMost(60_000)),
  ].filter(({ id }) => options.wants(id))
}
