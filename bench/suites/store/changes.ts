/**
 * Changes after the first sync: one row, a hundred, ten thousand updates or deletes in one transaction, against the statements the
 * peer makes for the same messages. Both start from messages in memory and end when the transaction is committed.
 */
import {
  atLeast,
  inRounds,
  type Measure,
  measureOf,
  ratios,
  type SuiteOptions,
  timed,
} from "../../lib/measure.ts"
import { emptyDatabase, openOurs, shareOf, wideInstance } from "../../lib/ours.ts"
import { companyOf, logEntry, snapshotOf, wideRows, wideTable } from "../../lib/wideRows.ts"
import { applyLikePeer, openPgliteSync } from "../../peers/pgliteSync.ts"
import { copyFrom, csvOf } from "../../peers/rawCopy.ts"
import { applySnapshot } from "./apply.ts"

interface Load {
  readonly id: string
  readonly target: number
  /** Transactions per round, and changes in each. */
  readonly transactions: number
  readonly changes: number
  readonly operation: "update" | "delete"
}

const loads: ReadonlyArray<Load> = [
  { id: "live.1-row", target: 4, transactions: 600, changes: 1, operation: "update" },
  { id: "live.100-rows", target: 12, transactions: 20, changes: 100, operation: "update" },
  { id: "bulk.updates-10k", target: 12, transactions: 1, changes: 10_000, operation: "update" },
  { id: "bulk.deletes-10k", target: 25, transactions: 1, changes: 10_000, operation: "delete" },
]

const tableRows = 20_000
let lsn = 1_000

/** Messages of each transaction: other rows and other values every time. */
const messagesOf = (load: Load, ids: ReadonlyArray<string>, lastLsn: number) =>
  Array.from({ length: load.transactions }, (_, transaction) => {
    lsn += 1
    return Array.from({ length: load.changes }, (_, change) => {
      const id = ids[((transaction * load.changes + change) * 7919) % ids.length] ?? ""
      const values: Readonly<Record<string, string>> =
        load.operation === "delete"
          ? {}
          : {
              role: `role ${lsn}`,
              updated_at: `2025-01-01 00:00:00.${String(lsn % 1000).padStart(3, "0")}+00`,
            }
      return logEntry(load.operation, id, values, lastLsn + lsn, change)
    })
  })

/** Our store and the peer's database, both with the same rows in place. */
const prepare = async () => {
  const rows = wideRows(tableRows)
  const ours = await openOurs()
  const instance = wideInstance("one", companyOf(0))
  await applySnapshot(ours.commit, instance, snapshotOf(rows))
  const scratch = await emptyDatabase()
  const template = await scratch.dumpDataDir("none")
  await scratch.close()
  const peer = await openPgliteSync(template)
  const csv = csvOf(rows)
  await copyFrom(peer, wideTable, csv, "csv")
  await ours.pglite.exec("checkpoint")
  await peer.exec("checkpoint")
  return { rows, ours, instance, peer }
}

const refill = async ({ ours, instance, peer, rows }: Awaited<ReturnType<typeof prepare>>): Promise<void> => {
  await ours.commit(
    shareOf(
      instance,
      rows.map(({ id, ...values }, index) => logEntry("insert", id, values, (lsn += 1), index)),
      `${lsn}_0`,
      true,
    ),
  )
  await peer.exec(`truncate ${wideTable}`)
  await copyFrom(peer, wideTable, csvOf(rows), "csv")
  await ours.pglite.exec("vacuum")
  await peer.exec("vacuum")
  await ours.pglite.exec("checkpoint")
  await peer.exec("checkpoint")
}

/** `live.*` and `bulk.*`: the peer's time by ours. */
export const measureChanges = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const wanted = loads.filter(({ id }) => options.wants(id))
  if (wanted.length === 0) return []
  const world = await prepare()
  const ids = world.rows.map(({ id }) => id)
  const measures: Array<Measure> = []
  for (const load of wanted) {
    options.log(load.id)
    const times = await inRounds(options, {
      ours: async () => {
        const transactions = messagesOf(load, ids, lsn)
        return timed(async () => {
          for (const messages of transactions)
            await world.ours.commit(shareOf(world.instance, messages, `${lsn}_1`, true))
        })
      },
      peer: async () => {
        const transactions = messagesOf(load, ids, lsn)
        const millis = await timed(async () => {
          for (const messages of transactions) await applyLikePeer(world.peer, messages, `${lsn}_1`)
        })
        return millis
      },
      refill: async () => {
        if (load.changes > 1_000) await refill(world)
        return 0
      },
    })
    measures.push(measureOf(load.id, ratios(times.peer, times.ours), "x faster", atLeast(load.target)))
  }
  await world.ours.close()
  await world.peer.close()
  return measures
}
