/**
 * Looks for rows that no instance holds: the engine is asked for the holders of each key of a table, in small groups, so that
 * neither page nor worker is kept busy. A sound store has none; a row the app wrote by itself is one.
 */
import { onScopeDispose, shallowRef } from "vue"
import type { GraphData } from "@espalier/engine/graph"
import type { EngineClient } from "@espalier/worker"
import { keysSql } from "./rowsSql.ts"

/** Rows checked of one table at most. */
export const rowsChecked = 1_000
/** Questions under way at once. */
const together = 16
/** Orphans named; the others are counted. */
export const orphansNamed = 5

export interface OrphanCheck {
  readonly table: string
  readonly checked: number
  readonly isDone: boolean
  readonly orphans: number
  readonly named: ReadonlyArray<ReadonlyArray<string>>
  readonly problem: string | null
}

export const useOrphans = () => {
  const result = shallowRef<OrphanCheck | null>(null)
  let run = 0
  onScopeDispose(() => (run += 1))
  const check = async (client: EngineClient, table: GraphData["tables"][string]): Promise<void> => {
    run += 1
    const own = run
    let at: OrphanCheck = {
      table: table.name,
      checked: 0,
      isDone: false,
      orphans: 0,
      named: [],
      problem: null,
    }
    const tell = (part: Partial<OrphanCheck>): void => {
      at = { ...at, ...part }
      if (own === run) result.value = at
    }
    tell({})
    try {
      const keys = await client.query<{ key: ReadonlyArray<string> }>(keysSql(table, rowsChecked))
      for (let from = 0; from < keys.length && own === run; from += together) {
        const group = keys.slice(from, from + together)
        const holders = await Promise.all(group.map(({ key }) => client.call("holders", table.name, key)))
        const orphans = group.filter((_, index) => holders[index]?.length === 0).map(({ key }) => key)
        tell({
          checked: from + group.length,
          orphans: at.orphans + orphans.length,
          named: [...at.named, ...orphans].slice(0, orphansNamed),
        })
      }
      tell({ isDone: true })
    } catch (cause) {
      tell({ isDone: true, problem: cause instanceof Error ? cause.message : String(cause) })
    }
  }
  return { result, check }
}
