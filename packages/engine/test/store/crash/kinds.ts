/**
 * The kinds of work a store does, each as something that can be interrupted: how to bring a store to where the work begins, the
 * work itself, and what naive readers know when it is done. Used by `crashPoints.ts`, which interrupts it everywhere.
 */
import * as Effect from "effect/Effect"
import { upkeepLimits } from "../../../src/adapters/pglite/Upkeep.ts"
import type { InstanceCommit, LocalStore } from "../../../src/ports/LocalStore.ts"
import { shareOf } from "../../../src/testing/localStoreKit.ts"
import { insert, update } from "../../../src/testing/messages.ts"
import type { Seeded } from "../../../src/testing/random.ts"
import { overlapInstance, overlapTable } from "../overlapGraph.ts"
import { type ShapeName, shapes } from "../overlapServer.ts"
import type { OverlapWorld } from "../overlapWorld.ts"

/** Work to interrupt, and the truth once it is done. */
export interface Work {
  readonly run: (store: LocalStore["Service"]) => Effect.Effect<unknown, unknown>
  readonly after: OverlapWorld
}

/** Where a piece of work begins: the readers' knowledge is the store's state. */
export interface Begin {
  readonly store: LocalStore["Service"]
  readonly world: OverlapWorld
  readonly random: Seeded
}

export interface Kind {
  readonly name: string
  /** Rows of the server. */
  readonly ids: number
  /** Snapshot rows per chunk, fewer than this. */
  readonly chunk: number
  /** Characters added to each value. Default 0. */
  readonly padding?: number
  readonly prepare: (begin: Begin) => Effect.Effect<Work, unknown>
}

const commit = (store: LocalStore["Service"], shares: ReadonlyArray<InstanceCommit>) =>
  Effect.flatMap(store.commit(shares), ({ outcomes }) =>
    outcomes.every(({ _tag }) => _tag === "Committed")
      ? Effect.void
      : Effect.fail(new Error(`refused: ${JSON.stringify(outcomes)}`)),
  )

/** A random history of readers and server. */
const warmUp = Effect.fnUntraced(function* ({ random, store, world }: Begin, rounds: number) {
  for (let round = 0; round < rounds; round++) {
    for (let acts = random.below(4); acts > 0; acts--) world.server.act()
    const chosen = random.shuffle(shapes).slice(0, 1 + random.below(2))
    yield* commit(
      store,
      chosen.map((shape) => world.next(shape)),
    )
  }
})

/** Tries random next shares until one is what is wanted; those that are not are committed, and the world goes on. */
const search = (
  wanted: (share: InstanceCommit) => boolean,
  propose: (trial: OverlapWorld, begin: Begin) => InstanceCommit,
  prepare: (begin: Begin) => Effect.Effect<unknown, unknown> = () => Effect.void,
) =>
  Effect.fnUntraced(function* (begin: Begin) {
    yield* warmUp(begin, 3 + begin.random.below(8))
    for (let attempt = 0; attempt < 200; attempt++) {
      yield* prepare(begin)
      const after = begin.world.copy()
      const share = propose(after, begin)
      if (wanted(share)) return { after, run: (store) => commit(store, [share]) } satisfies Work
      if (attempt % 3 === 2) yield* commit(begin.store, [begin.world.next(begin.random.pick(shapes))])
      begin.world.server.act()
    }
    return yield* Effect.fail(new Error("no such share came up"))
  })

const anyShape = (begin: Begin): ShapeName => begin.random.pick(shapes)
const changes = (share: InstanceCommit): number => share.messages.filter((message) => "key" in message).length
const names = (share: InstanceCommit, event: string): boolean =>
  share.messages.some((message) => "event" in message.headers && message.headers.event === event)

const few = { ids: 6, chunk: 4 }
const many = { ids: 240, chunk: 220 }

const isFree = (world: OverlapWorld) => (shape: ShapeName) => !world.readers.has(shape)
const newShape = (trial: OverlapWorld, begin: Begin): InstanceCommit =>
  trial.next(begin.random.pick(shapes.filter(isFree(begin.world))))
/** Sees to it that some shape is not there. */
const freeShape = ({ random, store, world }: Begin): Effect.Effect<unknown, unknown> => {
  if (shapes.some(isFree(world))) return Effect.void
  const shape = random.pick(shapes)
  world.forget(shape)
  return store.collect([shape])
}
const isChunk = (share: InstanceCommit, rows: number): boolean =>
  share.mode === "append" && !share.upToDate && changes(share) >= rows

const granted = (trial: OverlapWorld): InstanceCommit => {
  trial.server.actGrant()
  return trial.next("t", { all: true })
}

const bulk = (trial: OverlapWorld, begin: Begin): InstanceCommit => {
  trial.server.actRows(120)
  return trial.next(anyShape(begin), { all: true })
}

/** Work on a shape that is there, whatever state it is in. */
const onHeld = (
  after: (world: OverlapWorld, shape: ShapeName) => void,
  run: (store: LocalStore["Service"], shape: ShapeName) => Effect.Effect<unknown, unknown>,
) =>
  Effect.fnUntraced(function* (begin: Begin) {
    yield* warmUp(begin, 4 + begin.random.below(8))
    const held = [...begin.world.readers.keys()]
    const staging = held.filter((shape) => begin.world.readers.get(shape)?.refetching === true)
    const shape = begin.random.pick(staging.length > 0 ? staging : held)
    const world = begin.world.copy()
    after(world, shape)
    return { after: world, run: (store) => run(store, shape) } satisfies Work
  })

const severalShares = Effect.fnUntraced(function* (begin: Begin) {
  yield* warmUp(begin, 3 + begin.random.below(8))
  for (let acts = 0; acts < 6; acts++) begin.world.server.act()
  const after = begin.world.copy()
  const shares = shapes.map((shape) =>
    after.next(shape, { refetch: after.readers.has(shape) && begin.random.chance(0.2) }),
  )
  return { after, run: (store) => commit(store, shares) } satisfies Work
})

const refusedShare = Effect.fnUntraced(function* (begin: Begin) {
  yield* warmUp(begin, 4 + begin.random.below(8))
  yield* commit(begin.store, [begin.world.next("a", { all: true })])
  begin.world.server.act()
  const after = begin.world.copy()
  const good = after.next("b", { all: true })
  const bad = shareOf(
    overlapInstance("a"),
    [
      insert(overlapTable, { id: "5", grp: "0", v: "bad", w: "bad" }, { lsn: 9_000_000 }),
      update(overlapTable, { id: "1000", v: "x" }, { lsn: 9_000_001 }),
    ],
    { handle: after.readers.get("a")?.handle.name ?? "", offset: "9000000_0" },
  )
  return { after, run: (store) => store.commit([bad, good]) } satisfies Work
})

/** So many rows are dead that the next write begins with VACUUM and ANALYZE. */
const deadRows = Effect.fnUntraced(function* (begin: Begin) {
  const { store, world } = begin
  for (let dead = 0; dead < upkeepLimits.busy.vacuumFewestRows;) {
    world.server.actRows(1_500)
    const shares = [world.next("a", { all: true }), world.next("b", { all: true })]
    const { changes: counts } = yield* store.commit(shares)
    dead += (counts[overlapTable]?.updated ?? 0) + (counts[overlapTable]?.deleted ?? 0)
  }
  return oneMore(begin)
})

/** So many bytes were written that the next write begins with CHECKPOINT. */
const manyBytes = Effect.fnUntraced(function* (begin: Begin) {
  const { store, world } = begin
  world.server.actRows(450)
  yield* commit(store, [world.next("a", { all: true }), world.next("b", { all: true })])
  return oneMore(begin)
})

const oneMore = ({ world }: Begin): Work => {
  const after = world.copy()
  world.server.act()
  const share = after.next("a", { all: true })
  return { after, run: (store) => commit(store, [share]) }
}

/** Every kind of work, by name. */
export const kinds: ReadonlyArray<Kind> = [
  { name: "first chunk", ...few, prepare: search((share) => isChunk(share, 1), newShape, freeShape) },
  {
    name: "first chunk by COPY",
    ...many,
    prepare: search((share) => isChunk(share, 50), newShape, freeShape),
  },
  {
    name: "last chunk",
    ...few,
    prepare: search(
      (share) => share.upToDate && share.messages.some((message) => "control" in message.headers),
      (trial, begin) => trial.next(begin.random.pick(shapes)),
      freeShape,
    ),
  },
  {
    name: "log",
    ...few,
    prepare: search(
      (share) => share.upToDate && share.mode === "append" && changes(share) > 1,
      (trial, begin) => trial.next(anyShape(begin)),
    ),
  },
  {
    name: "log in bulk",
    ...many,
    prepare: search((share) => share.mode === "append" && changes(share) > 20, bulk),
  },
  { name: "move-in", ...few, prepare: search((share) => names(share, "move-in"), granted) },
  { name: "move-out", ...few, prepare: search((share) => names(share, "move-out"), granted) },
  {
    name: "stage",
    ...few,
    prepare: search(
      (share) => share.mode === "stage",
      (trial, begin) => trial.next(anyShape(begin), { refetch: true }),
    ),
  },
  {
    name: "stage in bulk",
    ...many,
    prepare: search(
      (share) => share.mode === "stage" && changes(share) > 20,
      (trial, begin) => trial.next(anyShape(begin), { refetch: true }),
    ),
  },
  {
    name: "swap",
    ...few,
    prepare: search(
      (share) => share.mode === "swap",
      (trial, begin) => trial.next(anyShape(begin), { refetch: true, all: begin.random.chance(0.5) }),
    ),
  },
  { name: "several shares", ...few, prepare: severalShares },
  { name: "refused share", ...few, prepare: refusedShare },
  {
    name: "collect",
    ...few,
    prepare: onHeld(
      (world, shape) => world.forget(shape),
      (store, shape) => store.collect([shape]),
    ),
  },
  {
    name: "discard a stage",
    ...few,
    prepare: onHeld(
      () => undefined,
      (store, shape) => store.discardStage(shape),
    ),
  },
  {
    name: "wipe",
    ...few,
    prepare: onHeld(
      (world) => world.wipe(),
      (store) => store.wipe,
    ),
  },
  { name: "write after VACUUM", ids: 500, chunk: 500, prepare: deadRows },
  { name: "write after CHECKPOINT", ids: 400, chunk: 500, padding: 80_000, prepare: manyBytes },
]
