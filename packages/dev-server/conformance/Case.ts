/** What a conformance case is, and the few words the lists of cases are written with. */
import type { Context } from "./Context.ts"

/** One case. Its `id` is stable: differences between servers name it. */
export interface Case {
  readonly id: string
  /** Item of the checklist in the protocol reference (§11). */
  readonly item: number
  readonly name: string
  readonly run: (context: Context) => Promise<void>
  /** Profile it needs beside the main server. */
  readonly needs?: "secret" | "chunk" | "delete" | "restart"
}

/** A case of the main server. */
export const test = (item: number, id: string, name: string, run: Case["run"]): Case => ({
  id: `${item}-${id}`,
  item,
  name,
  run,
})

/** One case per row of a table: what makes the id, what the case is about, and what it expects. */
export const each = <Expected = undefined>(
  item: number,
  rows: ReadonlyArray<readonly [id: string, about: string, expected?: Expected]>,
  name: (id: string, about: string) => string,
  run: (context: Context, id: string, about: string, expected: Expected) => Promise<void>,
): ReadonlyArray<Case> =>
  rows.map(([id, about, expected]) =>
    test(item, id, name(id, about), (context) => run(context, id, about, expected as Expected)),
  )
