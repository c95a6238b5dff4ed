/**
 * Holds a local store to what naive readers know: provenance row by row, the readable version of every row, checkpoints, and
 * what a commit says it changed. Everything is asked through the port and the harness, so that it holds for any layout. Called
 * by random runs after every commit and by crash runs after every reopening.
 */
import * as Effect from "effect/Effect"
import type { CommitResult } from "../../src/ports/LocalStore.ts"
import type { TextRow } from "../../src/protocol/Message.ts"
import { type LocalStoreHarness, same } from "../../src/testing/localStoreKit.ts"
import { overlapTable } from "./overlapGraph.ts"
import { shapes } from "./overlapServer.ts"
import type { OverlapWorld } from "./overlapWorld.ts"

type Rows = ReadonlyArray<TextRow>

/** Fails with the first difference. Returns the readable rows. */
export const checkWorld = (harness: LocalStoreHarness, world: OverlapWorld): Effect.Effect<Rows, unknown> =>
  Effect.gen(function* () {
    const stored = new Map((yield* harness.store().instances).map((instance) => [instance.key, instance]))
    const present = shapes.filter((shape) => world.readers.has(shape))
    yield* same("instances", [...stored.keys()].sort(), present)
    for (const shape of present) {
      const reader = world.readers.get(shape)
      if (reader === undefined) continue
      const keys = yield* harness.store().heldKeys(shape)
      yield* same(
        `held by ${shape}`,
        keys.map(([id]) => Number(id)).sort((left, right) => left - right),
        [...reader.view.keys()].sort((left, right) => left - right),
      )
      const instance = stored.get(shape)
      yield* same(
        `checkpoint, completeness and rows of ${shape}`,
        [instance?.checkpoint ?? null, instance?.complete, instance?.rows],
        [
          reader.offset === null ? null : { handle: reader.handle.name, offset: reader.offset },
          reader.complete,
          reader.view.size,
        ],
      )
    }
    const rows = yield* harness.rows(overlapTable)
    const expected = world.expected()
    yield* same("readable rows", idsOf(rows), [...expected.keys()])
    for (const { grp = null, id, v = null, w = null } of rows) {
      const seq = world.server.identify(Number(id), { grp, v, w })
      yield* same(`row ${id} (${grp}, ${v}, ${w}) is a version that was`, seq !== undefined, true)
      const allowed = expected.get(Number(id)) ?? new Set()
      const told = `row ${id} is at version ${seq}, of ${[...allowed].join(" or ")}`
      yield* same(told, allowed.has(seq ?? 0), true)
    }
    return rows
  })

/** Which readers' instances hold some row, asked by the row. */
export const checkHolders = (
  harness: LocalStoreHarness,
  world: OverlapWorld,
  id: number,
): Effect.Effect<void, unknown> =>
  Effect.flatMap(harness.store().holders(overlapTable, [String(id)]), (holders) =>
    same(
      `holders of ${id}`,
      holders,
      shapes.filter((shape) => world.readers.get(shape)?.view.has(id) === true),
    ),
  )

/** What a commit says it changed is what did change. */
export const checkChanges = (
  before: Rows,
  after: Rows,
  changes: CommitResult["changes"],
): Effect.Effect<void, unknown> => {
  const told = changes[overlapTable] ?? { inserted: 0, updated: 0, deleted: 0 }
  const differs = JSON.stringify(before) !== JSON.stringify(after)
  return Effect.andThen(
    same("rows gained by the counts", told.inserted - told.deleted, after.length - before.length),
    same("a change is told", told.inserted + told.updated + told.deleted > 0 || !differs, true),
  )
}

/** Everything is read: the readable rows are the server's. */
export const checkQuiescence = (
  harness: LocalStoreHarness,
  world: OverlapWorld,
): Effect.Effect<void, unknown> =>
  Effect.flatMap(harness.rows(overlapTable), (rows) => {
    const truth = new Map(
      shapes.flatMap((shape) => (world.readers.has(shape) ? [...world.server.rowsOf(shape)] : [])),
    )
    return same(
      "rows at quiescence",
      rows.map(({ grp, id, v, w }) => [id, grp, v, w].join("|")),
      [...truth]
        .sort(([left], [right]) => (String(left) < String(right) ? -1 : 1))
        .map(([id, { grp, v, w }]) => [id, grp, v, w].join("|")),
    )
  })

const idsOf = (rows: Rows): ReadonlyArray<number> =>
  rows.map(({ id }) => Number(id)).sort((left, right) => left - right)
