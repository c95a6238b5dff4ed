/** A shape at the start of its service, what a store keeps of it, and what it keeps in memory. Pure. */
import type { StoredShape } from "../store/ShapeStore.ts"
import type { Definition, DefinitionRequest } from "./Definition.ts"
import type { Shape } from "./Shape.ts"
import { upTo } from "./keys.ts"
import { ShapeLog } from "./ShapeLog.ts"
import type { Begun } from "./snapshot.ts"

/** What tells one shape from another when its service starts. */
export type Born = Pick<
  Shape,
  "handle" | "snapshot" | "sets" | "request" | "definition" | "bornAt" | "lastUsedAt"
>

/** A shape nobody waits on and that was told nothing yet. */
export const bear = (born: Born, chunkBytes: number): Shape => ({
  ...born,
  log: new ShapeLog(chunkBytes),
  readTo: born.snapshot.isComplete ? null : upTo(born.definition, null),
  waiters: new Set(),
  hasStreams: false,
  isVoid: false,
})

/** Bytes of JSON a shape keeps in memory. */
export const bytesOf = (shape: Shape): number => shape.snapshot.memoryBytes + shape.log.bytes

/** A shape with a complete snapshot as it is stored; one that was just begun has no log. */
export const storedFrom = (
  shape: Pick<Begun, "handle" | "snapshot" | "sets"> & { readonly log?: ShapeLog },
  request: DefinitionRequest,
  definition: Definition,
): StoredShape => ({
  handle: shape.handle,
  request,
  identity: definition.identity,
  snapshot: shape.snapshot.stored,
  entries: shape.log?.entries ?? [],
  sets: shape.sets,
})
