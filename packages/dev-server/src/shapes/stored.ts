/** What a store keeps of a shape, and what a shape keeps in memory. Pure. */
import type { StoredShape } from "../store/ShapeStore.ts"
import type { Definition, DefinitionRequest } from "./Definition.ts"
import type { Shape } from "./Shape.ts"
import type { ShapeLog } from "./ShapeLog.ts"
import type { Begun } from "./snapshot.ts"

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
