/**
 * What an app may read of a table: a row iff some instance holds it, with values that really were the row's, no older than any holder
 * knows, and never going back while it is held. Pure over what it is given.
 */
import * as Effect from "effect/Effect"
import type { RowKey } from "../../adapters/store/rowKey.ts"
import { decodeKey, encodeKey } from "../../adapters/store/rowKey.ts"
import type { GraphData } from "../../graph/Graph.ts"
import type { TextRow } from "../../protocol/Message.ts"
import type { ModelDatabase, Version } from "../model/ModelDatabase.ts"
import type { InvariantName } from "./violations.ts"

export interface ReadableInput {
  readonly graph: GraphData
  readonly table: string
  readonly database: ModelDatabase
  readonly rows: ReadonlyArray<TextRow>
  readonly holders: ReadonlyArray<{ readonly view: ReadonlyMap<RowKey, number>; readonly open: boolean }>
  /** Versions shown before. */
  readonly readable: ReadonlyMap<RowKey, number>
}

export interface ReadableFound {
  readonly problems: ReadonlyArray<{ readonly invariant: InvariantName; readonly message: string }>
  readonly readable: Map<RowKey, number>
}

/** Looks at the readable rows of one table. */
export const readableProblem = (input: ReadableInput): Effect.Effect<ReadableFound> =>
  Effect.sync(() => {
    const { graph, holders, readable, rows } = input
    const table = graph.tables[input.table]
    const problems: Array<ReadableFound["problems"][number]> = []
    const shown = new Map<RowKey, number>()
    if (table === undefined) return { problems, readable: shown }
    const held = new Set(holders.flatMap(({ view }) => [...view.keys()]))
    for (const row of rows) {
      const key = encodeKey(table.primaryKey.map((column) => row[column] ?? ""))
      const name = decodeKey(key).join("/")
      const seqs = versionsOf(input.database.history(table.from, key), row)
      const seq = seqs.at(-1) ?? null
      const least = leastVersion(holders, key, readable.get(key) ?? 0)
      // Of versions that look the same, the oldest that may be shown: which one it is cannot be told.
      shown.set(key, seqs.find((one) => one >= least) ?? seq ?? 0)
      if (!held.delete(key))
        problems.push({ invariant: "provenance-exact", message: `nobody holds row ${name}` })
      else if (seq === null)
        problems.push({ invariant: "row-was-real", message: `row ${name} never was ${JSON.stringify(row)}` })
      else if (seq < least)
        problems.push({ invariant: "no-going-back", message: `row ${name} is at ${seq}, before ${least}` })
    }
    for (const key of held)
      problems.push({
        invariant: "provenance-exact",
        message: `row ${decodeKey(key).join("/")} is held and not there`,
      })
    return { problems, readable: shown }
  })

/** The versions that look like this row, oldest first; more than one when old values came back. */
const versionsOf = (history: ReadonlyArray<Version>, row: TextRow): ReadonlyArray<number> =>
  history
    .filter((version) => Object.keys(row).every((column) => version.row[column] === row[column]))
    .map(({ seq }) => seq)

/** The oldest version that may be shown. While a holder's first snapshot is open, its rows cannot be ranked. */
const leastVersion = (holders: ReadableInput["holders"], key: RowKey, shown: number): number => {
  let least = shown
  for (const { open, view } of holders) {
    const seq = view.get(key)
    if (seq === undefined) continue
    if (open) return 0
    least = Math.max(least, seq)
  }
  return least
}
