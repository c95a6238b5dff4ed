/**
 * Makes a large snapshot page by page: each page in one job of the engine's queue, in the transaction that also takes and
 * tells all changes before it. Changes of rows the pages have reached are told, those of later rows are not, so the shape
 * is exact at every moment. The shape is stored when its last page is read.
 */
import { setImmediate } from "node:timers/promises"
import type { Database, TextRow } from "../db/Database.ts"
import type { ShapeStore } from "../store/ShapeStore.ts"
import { drain, type DrainContext, type Drained } from "./drain.ts"
import { upTo } from "./keys.ts"
import type { Shape } from "./Shape.ts"
import type { ShapeRegistry } from "./ShapeRegistry.ts"
import { readPage } from "./snapshot.ts"
import { storedFrom } from "./stored.ts"

/** What pages are read with. */
export interface PageContext extends DrainContext {
  readonly db: Database
  readonly store: ShapeStore
}

/** The job that reads the next page; `apply` takes what the round before it came to. */
export const pagesOf = (
  context: PageContext,
  registry: ShapeRegistry,
  shape: Shape,
  closing: string,
  apply: (drained: Drained) => void,
): (() => Promise<void>) => {
  const { definition, handle, snapshot } = shape
  let after: TextRow | null = null
  return async () => {
    if (shape.isVoid) return
    const { drained, page } = await context.db.transaction(async (sql) => {
      const told = await drain(sql, context, registry)
      const isGone = told.voided.includes(shape)
      return { drained: told, page: isGone ? null : await readPage(sql, definition, handle, after) }
    })
    apply(drained)
    if (page === null) return
    await snapshot.add(page.messages)
    after = page.last ?? after
    shape.readTo = upTo(definition, after)
    if (!page.isLast) return
    await snapshot.complete(closing)
    await context.db.transaction((sql) =>
      context.store.add(sql, storedFrom(shape, shape.request, definition)),
    )
    shape.readTo = null
  }
}

/** Runs one job after the other until all rows are read, so that everything else goes on between them; `null` ends it. */
export const readPages = async (shape: Shape, run: () => Promise<void> | null): Promise<void> => {
  while (!shape.isVoid && shape.readTo !== null) {
    const job = run()
    if (job === null) return
    await job
    // PGlite works on this thread without a pause: answers under way must get their turn.
    await setImmediate()
  }
}
