/**
 * Gives up rows when a write was refused for lack of space: instances that are kept but that nobody asks for, the least valuable first,
 * one per refusal, and then tries the write again. What is desired is never given up: somebody looks at it, and the engine's
 * pause says that storage is full. Run by `startHost`.
 */
import type { Engine } from "@espalier/engine"
import type { GraphData } from "@espalier/engine/graph"
import type { EngineStatus, InstanceStatus } from "@espalier/engine/protocol"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { StorageWatch } from "./StorageWatch.ts"

/** Instances that may be given up, the least valuable first: by the node's priority, then by how long they were not current. */
export const leastValuable = (status: EngineStatus, graph: GraphData): ReadonlyArray<InstanceStatus> => {
  const priority = ({ node }: InstanceStatus): number => graph.nodes[node]?.priority ?? 0
  return Object.values(status.instances)
    .filter(({ desired, rows }) => !desired && rows > 0)
    .toSorted(
      (left, right) =>
        priority(left) - priority(right) ||
        (left.lastUpToDateAt ?? 0) - (right.lastUpToDateAt ?? 0) ||
        (left.key < right.key ? -1 : 1),
    )
}

const evictOne = Effect.fnUntraced(function* (
  engine: Engine["Service"],
  graph: GraphData,
  storage: StorageWatch,
) {
  const status = yield* engine.status
  const [victim] = leastValuable(status, graph)
  if (victim === undefined || !(yield* engine.evict(victim.key))) return
  const at = yield* Clock.currentTimeMillis
  const { key, rows } = victim
  yield* storage.evicted({ at, key, rows, reason: "storage was full, and nobody asked for these rows" })
  // Anybody's retry tries storage again for all.
  const desired = Object.values(status.instances).find((instance) => instance.desired)
  if (desired !== undefined) yield* engine.retry(desired.key)
})

/** Watches the engine's pauses until the surrounding scope closes. */
export const watchRefusals = (engine: Engine["Service"], graph: GraphData, storage: StorageWatch) =>
  engine.statusChanges.pipe(
    Stream.map(({ pauseReasons }) => pauseReasons.includes("storage")),
    Stream.changes,
    Stream.runForEach((refused) =>
      Effect.andThen(
        storage.writeRefused("commit", refused),
        refused ? evictOne(engine, graph, storage) : Effect.void,
      ),
    ),
    Effect.forkScoped,
  )
