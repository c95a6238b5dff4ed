/**
 * A must-refetch of which one row in a hundred differs: how long fewer rows than before are readable, and how many rows are written.
 * Readers look in between the chunks; the database lets nobody look into a transaction.
 */
import { Effect } from "effect"
import { atMost, type Measure, measureOf, type SuiteOptions } from "../../lib/measure.ts"
import { openOurs, shareOf, wideInstance } from "../../lib/ours.ts"
import { companyOf, snapshotEndAt, snapshotOf, wideRows, wideTable } from "../../lib/wideRows.ts"
import { applySnapshot, chunkRows } from "./apply.ts"

/** Every how many rows one differs. */
const oneIn = 100

const refetchOnce = async (
  count: number,
): Promise<{ readonly blink: number; readonly amplification: number }> => {
  const rows = wideRows(count)
  const ours = await openOurs()
  const instance = wideInstance("one", companyOf(0))
  await applySnapshot(ours.commit, instance, snapshotOf(rows))
  const messages = snapshotOf(
    rows.map((row, index) => (index % oneIn === 0 ? { ...row, role: "changed" } : row)),
  )
  let blink = 0
  let since = performance.now()
  let written = 0
  for (let first = 0; first < messages.length; first += chunkRows) {
    const last = first + chunkRows >= messages.length
    const chunk = messages.slice(first, first + chunkRows)
    const share = shareOf(
      instance,
      last ? [...chunk, snapshotEndAt(300)] : chunk,
      `0_${first}`,
      last,
      last ? "swap" : "stage",
      "h2",
    )
    const { changes } = await ours.store.commit([share]).pipe(Effect.runPromise)
    const change = changes[wideTable]
    written += (change?.inserted ?? 0) + (change?.updated ?? 0) + (change?.deleted ?? 0)
    const seen = await ours.pglite.query<{ readonly count: number }>(
      `select count(*)::int4 as count from ${wideTable}`,
    )
    const now = performance.now()
    if ((seen.rows[0]?.count ?? 0) < count) blink += now - since
    since = now
  }
  await ours.close()
  return { blink, amplification: written / Math.ceil(count / oneIn) }
}

/** `refetch.*`. */
export const measureRefetch = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  if (!options.wants("refetch.blink-ms") && !options.wants("refetch.write-amplification")) return []
  const found = []
  for (let round = 0; round < Math.min(options.rounds, 2); round += 1) {
    found.push(await refetchOnce(options.rows))
    options.log(`  round ${round + 1}  refetch`)
  }
  const blinks = found.map(({ blink }) => blink)
  const amplifications = found.map(({ amplification }) => amplification)
  return [
    measureOf("refetch.blink-ms", blinks, "ms", atMost(0)),
    measureOf(
      "refetch.write-amplification",
      amplifications,
      "rows written per row that differs",
      atMost(1.05),
    ),
  ].filter(({ id }) => options.wants(id))
}
