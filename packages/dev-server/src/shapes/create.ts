/**
 * Begins a shape in the transaction that also takes and tells all changes before it, so that its first rows and its log
 * meet exactly once. Changes nothing in memory: the engine registers the shape after the commit.
 */
import type { Sql } from "../db/Database.ts"
import type { Table } from "../db/catalog.ts"
import { define, type Definition, type DefinitionRequest } from "./Definition.ts"
import { drain, type DrainContext, type Drained } from "./drain.ts"
import type { ShapeRegistry } from "./ShapeRegistry.ts"
import { type Begun, beginSnapshot, type SnapshotOptions, tablesOf } from "./snapshot.ts"
import { storedFrom } from "./stored.ts"

/** What a creation came to. `begun` is `null` where such a shape is in service. */
export interface Created {
  readonly drained: Drained
  readonly begun: Begun | null
  readonly definition: Definition
}

/** What is to be created, and the tables that are captured for it. */
export interface Creation {
  readonly request: DefinitionRequest
  readonly tracked: ReadonlyArray<Table>
}

/** Defines, tells, reads. `null` when the definition has come to name other tables than the tracked ones. @throws DefinitionError */
export const createRound = async (
  sql: Sql,
  context: DrainContext & SnapshotOptions,
  registry: ShapeRegistry,
  { request, tracked }: Creation,
): Promise<Created | null> => {
  const { clock, store } = context
  const definition = await define(sql, request)
  const captured = new Set(tracked.map((table) => table.oid))
  if (!tablesOf(definition).every((table) => captured.has(table.oid))) return null
  const drained = await drain(sql, context, registry)
  const known = registry.withIdentity(definition.identity)
  const isThere = known !== undefined && !drained.voided.includes(known)
  const begun = isThere ? null : await beginSnapshot(sql, context, definition)
  if (begun?.snapshot.isComplete === true) await store.add(sql, storedFrom(begun, request, definition))
  await store.setLastNumber(sql, clock.last())
  return { drained, begun, definition }
}
