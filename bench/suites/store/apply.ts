/** Applying a first snapshot, encoding included, against `COPY` of CSV that lies ready, in the same round. */
import {
  atMost,
  inRounds,
  type Measure,
  measureOf,
  ratios,
  type SuiteOptions,
  timed,
} from "../../lib/measure.ts"
import { emptyDatabase, openOurs, shareOf, wideInstance } from "../../lib/ours.ts"
import { companyOf, snapshotEndAt, snapshotOf, wideDdl, type WideRow, wideRows } from "../../lib/wideRows.ts"
import { binaryOf, copyFrom, csvOf } from "../../peers/rawCopy.ts"

/** Rows of one chunk of a snapshot: about what a server sends in 10 MB. */
export const chunkRows = 10_000

/** Commits a first snapshot chunk by chunk, each with its checkpoint. */
export const applySnapshot = async (
  commit: Awaited<ReturnType<typeof openOurs>>["commit"],
  instance: ReturnType<typeof wideInstance>,
  messages: ReturnType<typeof snapshotOf>,
): Promise<void> => {
  for (let first = 0; first < messages.length; first += chunkRows) {
    const last = first + chunkRows >= messages.length
    const chunk = messages.slice(first, first + chunkRows)
    await commit(shareOf(instance, last ? [...chunk, snapshotEndAt(200)] : chunk, `0_${first}`, last))
  }
}

const copied = async (format: "csv" | "binary", blob: Blob): Promise<number> => {
  const pglite = await emptyDatabase()
  await pglite.exec(wideDdl("plain"))
  const millis = await timed(() => copyFrom(pglite, "plain", blob, format))
  await pglite.close()
  return millis
}

const applied = async (
  rows: ReadonlyArray<WideRow>,
  heldByOther: ReadonlyArray<WideRow>,
): Promise<number> => {
  const ours = await openOurs()
  if (heldByOther.length > 0)
    await applySnapshot(ours.commit, wideInstance("other", null), snapshotOf(heldByOther))
  const instance = wideInstance("one", companyOf(0))
  const messages = snapshotOf(rows)
  const millis = await timed(() => applySnapshot(ours.commit, instance, messages))
  await ours.close()
  return millis
}

/** `apply.vs-copy-csv.*`: our time by that of `COPY csv`; overlap means that another instance holds every second row. */
export const measureApply = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  const ids = [
    "apply.vs-copy-csv.disjoint",
    "apply.vs-copy-csv.overlap",
    "apply.vs-copy-binary.disjoint",
  ] as const
  if (!ids.some(options.wants)) return []
  const rows = wideRows(options.rows)
  const csv = csvOf(rows)
  const scratch = await emptyDatabase()
  await scratch.exec(wideDdl("plain"))
  await copyFrom(scratch, "plain", csv, "csv")
  const binary = await binaryOf(scratch, "plain")
  await scratch.close()
  const half = rows.filter((_, index) => index % 2 === 0)
  const times = await inRounds(options, {
    csv: () => copied("csv", csv),
    binary: () => copied("binary", binary),
    disjoint: () => applied(rows, []),
    overlap: () => applied(rows, half),
  })
  return [
    measureOf(ids[0], ratios(times.disjoint, times.csv), "x time", atMost(0.75)),
    measureOf(ids[1], ratios(times.overlap, times.csv), "x time", atMost(1.5)),
    measureOf(ids[2], ratios(times.disjoint, times.binary), "x time", atMost(1.5)),
  ].filter(({ id }) => options.wants(id))
}
