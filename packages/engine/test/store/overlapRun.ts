/**
 * One random run of a local store against the miniature server, held to naive readers after every commit (`overlapWorld.ts`):
 * shapes lag independently, rows move between them, handles are void, instances are dropped and come back, shares are refused
 * or sent twice, the process restarts. The same run on any store, so that the implementations are held to one truth.
 */
import * as Effect from "effect/Effect"
import type { InstanceCommit } from "../../src/ports/LocalStore.ts"
import { type LocalStoreHarness, same, shareOf } from "../../src/testing/localStoreKit.ts"
import type { TextRow } from "../../src/protocol/Message.ts"
import { insert, update } from "../../src/testing/messages.ts"
import { type Seeded, seeded } from "../../src/testing/random.ts"
import { checkChanges, checkHolders, checkQuiescence, checkWorld } from "./overlapCheck.ts"
import { overlapInstance, overlapTable } from "./overlapGraph.ts"
import { overlapServer, type ShapeName, shapes } from "./overlapServer.ts"
import { OverlapWorld } from "./overlapWorld.ts"

export { overlapGraph } from "./overlapGraph.ts"

/** Operations of each kind, for those who count them. */
export type Operations = Record<string, number>

/** Rows of the server. Small, so that shapes meet on the same rows all the time. */
const ids = 6

interface Run {
  readonly harness: LocalStoreHarness
  readonly world: OverlapWorld
  readonly random: Seeded
  /** Shapes this run uses; some runs have only shapes that share nothing. */
  readonly used: ReadonlyArray<ShapeName>
  readonly operations: Operations
  /** What the last check saw. */
  rows: ReadonlyArray<TextRow>
}

/** Runs one seed; returns how often each operation was done. Fails with what differs. */
export const overlapRun = (
  harness: LocalStoreHarness,
  seed: number,
  steps = 60,
): Effect.Effect<Operations, unknown> =>
  Effect.gen(function* () {
    const random = seeded(seed)
    const world = new OverlapWorld(overlapServer(random, ids), random)
    const used = random.shuffle(shapes).slice(0, 2 + random.below(shapes.length - 1))
    const run: Run = { harness, world, random, used, operations: {}, rows: [] }
    for (let step = 0; step < steps; step++) {
      yield* stepOf(run).pipe(
        Effect.mapError((cause) => new Error(`seed ${seed}, step ${step}: ${String(cause)}`, { cause })),
      )
    }
    yield* settle(run).pipe(
      Effect.mapError((cause) => new Error(`seed ${seed}, at the end: ${String(cause)}`, { cause })),
    )
    return run.operations
  })

const stepOf = (run: Run): Effect.Effect<void, unknown> => {
  const { random } = run
  const dice = random.below(100)
  if (dice < 45) return act(run)
  if (dice < 82) return deliver(run, random.shuffle(run.used).slice(0, 1 + random.below(3)))
  if (dice < 85) return refuse(run)
  if (dice < 90) return reopen(run)
  if (dice < 93) return collect(run)
  if (dice < 95) return discard(run)
  return dice < 96 && random.chance(0.2) ? wipe(run) : act(run)
}

const note = (run: Run, operation: string): void => {
  run.operations[operation] = (run.operations[operation] ?? 0) + 1
}

const act = (run: Run): Effect.Effect<void> =>
  Effect.sync(() => {
    note(run, "server transaction")
    run.world.server.act()
  })

const check = Effect.fnUntraced(function* (run: Run) {
  run.rows = yield* checkWorld(run.harness, run.world)
  yield* checkHolders(run.harness, run.world, 1 + run.random.below(ids))
})

const deliver = Effect.fnUntraced(function* (run: Run, chosen: ReadonlyArray<ShapeName>, all = false) {
  const { harness, rows: before } = run
  const shares = chosen.map((shape) => shareFor(run, shape, all))
  for (const { mode, upToDate } of shares) note(run, `${mode}${upToDate ? "" : " (chunk)"}`)
  const { changes, outcomes } = yield* harness.store().commit(shares)
  yield* same(
    "outcomes",
    outcomes.map((outcome) => (outcome._tag === "Rejected" ? outcome.message : "")),
    shares.map(() => ""),
  )
  yield* check(run)
  yield* checkChanges(before, run.rows, changes)
})

const shareFor = (run: Run, shape: ShapeName, all: boolean): InstanceCommit => {
  const { random, world } = run
  const repeated = !all && random.chance(0.1) ? world.repeat(shape) : null
  if (repeated !== null) return repeated
  return world.next(shape, { all, refetch: !all && world.readers.has(shape) && random.chance(0.1) })
}

/** A share that the store must refuse goes along with a good one: nothing of it stays, all of the other does. */
const refuse = Effect.fnUntraced(function* (run: Run) {
  const { harness, random, used, world } = run
  const [bad, good] = random.shuffle(used)
  if (bad === undefined || good === undefined) return
  const reader = world.readers.get(bad)
  if (reader === undefined || reader.refetching) return
  note(run, "refused share")
  const { name: handle } = reader.handle
  const wrong = random.chance(0.5)
    ? [
        insert(overlapTable, { id: "5", grp: "0", v: "bad", w: "bad" }, { lsn: 9_000_000 }),
        update(overlapTable, { id: "1000", v: "x" }, { lsn: 9_000_001 }),
      ]
    : [insert(overlapTable, { id: "not a number", grp: "0", v: "bad", w: "bad" }, { lsn: 9_000_000 })]
  const refused = shareOf(overlapInstance(bad), wrong, { handle, offset: "9000000_0" })
  const { outcomes } = yield* harness.store().commit([refused, world.next(good)])
  yield* same(
    "outcomes",
    outcomes.map(({ _tag }) => _tag),
    ["Rejected", "Committed"],
  )
  yield* check(run)
})

const reopen = Effect.fnUntraced(function* (run: Run) {
  note(run, "restart")
  yield* run.harness.reopen
  yield* check(run)
  run.world.restartRefetches()
})

const collect = Effect.fnUntraced(function* (run: Run) {
  const { harness, random, used, world } = run
  const chosen = random.shuffle(used).slice(0, 1 + random.below(2))
  note(run, "collect")
  yield* harness.store().collect(chosen)
  for (const shape of chosen) world.forget(shape)
  yield* check(run)
})

const discard = Effect.fnUntraced(function* (run: Run) {
  const shape = run.random.pick(run.used)
  note(run, "discard a stage")
  yield* run.harness.store().discardStage(shape)
  yield* check(run)
  run.world.restartRefetches(shape)
})

const wipe = Effect.fnUntraced(function* (run: Run) {
  note(run, "wipe")
  yield* run.harness.store().wipe
  run.world.wipe()
  yield* check(run)
})

/** Reads everything there is, shape by shape, and compares with the server. */
const settle = Effect.fnUntraced(function* (run: Run) {
  const { harness, used, world } = run
  for (const shape of used) while (!world.isCaughtUp(shape)) yield* deliver(run, [shape], true)
  yield* check(run)
  yield* checkQuiescence(harness, world)
})
