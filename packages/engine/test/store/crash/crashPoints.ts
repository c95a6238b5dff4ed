/**
 * Kills the store at every statement boundary of a piece of work, and holds what is then on disk to the oracle: the state before
 * the work or the state after it, nothing between; and from there everything converges to the server. A kill is a copy of the
 * data directory at that moment, opened by a new database: what a dead process leaves is what it wrote to files. Used by
 * `pnpm torture crash` and, for a fixed sample, by the tests.
 */
import { cpSync, rmSync } from "node:fs"
import { join } from "node:path"
import { PGlite } from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import { PgliteLocalStore } from "../../../src/adapters/pglite/index.ts"
import type { GraphData } from "../../../src/graph/Graph.ts"
import type { LocalStore } from "../../../src/ports/LocalStore.ts"
import { type LocalStoreHarness, same } from "../../../src/testing/localStoreKit.ts"
import { seeded } from "../../../src/testing/random.ts"
import { checkQuiescence, checkWorld } from "../overlapCheck.ts"
import { changedOverlapGraph, overlapGraph } from "../overlapGraph.ts"
import { overlapServer, shapes } from "../overlapServer.ts"
import { OverlapWorld } from "../overlapWorld.ts"
import { rowsOf } from "../pgliteHarness.ts"
import { watched } from "./boundaries.ts"
import { DirectoryStates, makeFolder, type Point } from "./DirectoryStates.ts"
import { type Kind, kinds } from "./kinds.ts"

export interface CrashOptions {
  /** Points at least. */
  readonly points: number
  readonly seed: number
  /** Only these kinds of work. Default: all. */
  readonly only?: ReadonlyArray<string>
  readonly log?: (line: string) => void
}

export interface CrashReport {
  /** Boundaries at which the store was killed. */
  readonly points: number
  /** Distinct states of the directory among them; each was opened, checked and brought to the server's state. */
  readonly states: number
  readonly byKind: Readonly<Record<string, number>>
  /** First words of the statements before which the store was killed. */
  readonly statements: ReadonlyArray<string>
  readonly lastSeed: number
}

/** What one piece of work brought. */
interface Counted {
  readonly points: number
  readonly states: number
  readonly statements: ReadonlyArray<string>
}

const countedOf = (states: DirectoryStates): Counted => ({
  points: states.points.length,
  states: states.states,
  statements: states.points.map(({ next }) => next.split(/[ ;]/)[0] ?? ""),
})

const openAt = (directory: string) =>
  Effect.acquireRelease(
    Effect.promise(() => PGlite.create(directory)),
    (opened) => Effect.promise(() => opened.close()),
  )

/** A new store on a directory, as a process opens it after a crash. */
const reopened = Effect.fnUntraced(function* (directory: string, graph: GraphData) {
  const pglite = yield* openAt(directory)
  const open = PgliteLocalStore.make({ pglite, graph })
  let store: LocalStore["Service"] = yield* open
  const harness: LocalStoreHarness = {
    store: () => store,
    rows: (table) => rowsOf(pglite, table, graph),
    reopen: Effect.map(open, (made) => {
      store = made
    }),
  }
  return harness
})

/** From a state that a crash left, every reader goes on to the end, and the rows are the server's. */
const converge = Effect.fnUntraced(function* (harness: LocalStoreHarness, left: OverlapWorld) {
  left.restartRefetches()
  for (const shape of [...shapes, ...shapes]) {
    if (!left.readers.has(shape)) continue
    while (!left.isCaughtUp(shape)) {
      const { outcomes } = yield* harness.store().commit([left.next(shape, { all: true })])
      yield* same("outcome", outcomes.map(({ _tag }) => _tag).join(), "Committed")
    }
  }
  yield* checkWorld(harness, left)
  yield* checkQuiescence(harness, left)
})

type Found = "before" | "after"

/** Opens what a crash left. Says which of the two states it is; fails when it is neither, or does not converge. */
const judge = Effect.fnUntraced(function* (
  point: Point,
  worlds: Readonly<Record<Found, OverlapWorld>>,
  graph: GraphData,
) {
  const harness = yield* reopened(point.directory, graph)
  const before = yield* Effect.result(checkWorld(harness, worlds.before))
  if (before._tag === "Failure")
    yield* checkWorld(harness, worlds.after).pipe(
      Effect.mapError(
        (cause) => new Error(`neither before (${String(before.failure)}) nor after (${String(cause)})`),
      ),
    )
  const found: Found = before._tag === "Success" ? "before" : "after"
  yield* converge(harness, worlds[found].copy())
  return found
})

/** Each state once, in order: what was committed stays committed, and at the end it is. */
const judgeAll = Effect.fnUntraced(function* (
  name: string,
  states: DirectoryStates,
  worlds: Readonly<Record<Found, OverlapWorld>>,
  graph: GraphData,
) {
  const known = new Map<string, Found>()
  let last: Found = "before"
  for (const point of states.points) {
    const at = `${name}, point ${point.index} of ${states.points.length}, before "${point.next}"`
    const found: Found =
      known.get(point.directory) ??
      (yield* Effect.scoped(judge(point, worlds, graph)).pipe(
        Effect.mapError((cause) => new Error(`${at}: ${String(cause)}`, { cause })),
      ))
    known.set(point.directory, found)
    const unchanged = yield* Effect.result(sameWorlds(worlds))
    if (last === "after" && found === "before" && !unchanged)
      return yield* Effect.fail(new Error(`${at}: what was committed is gone`))
    last = found
  }
})

/** Work that leaves everything as it was (a refused share alone, a stage that was not there) has no after. */
const sameWorlds = ({ after, before }: Readonly<Record<Found, OverlapWorld>>) =>
  Effect.sync(() => JSON.stringify(summary(before)) === JSON.stringify(summary(after)))

const summary = (world: OverlapWorld) =>
  shapes.map((shape) => {
    const reader = world.readers.get(shape)
    return reader === undefined ? null : [reader.handle.name, reader.offset, [...reader.view]]
  })

/** One piece of work of a kind, interrupted everywhere. */
const crashWork = Effect.fnUntraced(function* (kind: Kind, seed: number, template: string, folder: string) {
  const random = seeded(seed)
  const directory = join(folder, "live")
  const states = new DirectoryStates(directory, join(folder, "state-"))
  cpSync(template, directory, { recursive: true })
  const world = new OverlapWorld(overlapServer(random, kind.ids, kind.padding), random, {
    chunk: kind.chunk,
    cachedHandles: 0.5,
  })
  const worlds = yield* Effect.scoped(
    Effect.gen(function* () {
      const pglite = yield* openAt(directory)
      let watching = false
      const at = (next: string): void => {
        if (watching) states.take(next)
      }
      // Every fifth piece of work takes the way without the raw protocol.
      const store = yield* PgliteLocalStore.make({
        pglite: watched(pglite, at, seed % 5 !== 0),
        graph: overlapGraph,
      })
      const work = yield* kind.prepare({ store, world, random })
      const before = world.copy()
      watching = true
      yield* work.run(store)
      states.take("nothing")
      watching = false
      return { before, after: work.after }
    }),
  )
  yield* judgeAll(kind.name, states, worlds, overlapGraph)
  const counted = countedOf(states)
  states.remove()
  rmSync(directory, { recursive: true })
  return counted
})

/** Opens the store for the first time, or with a changed graph, interrupted everywhere; then with either graph. */
const crashOpening = Effect.fnUntraced(function* (
  first: boolean,
  seed: number,
  template: string,
  folder: string,
) {
  const random = seeded(seed)
  const directory = join(folder, "live")
  const states = new DirectoryStates(directory, join(folder, "state-"))
  cpSync(template, directory, { recursive: true })
  const world = new OverlapWorld(overlapServer(random), random)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const pglite = yield* openAt(directory)
      if (!first) {
        const store = yield* PgliteLocalStore.make({ pglite, graph: overlapGraph })
        for (let round = 0; round < 6; round++) {
          world.server.act()
          yield* store.commit([world.next(random.pick(shapes))])
        }
      }
      yield* PgliteLocalStore.make({
        pglite: watched(pglite, (next) => states.take(next), seed % 5 !== 0),
        graph: first ? overlapGraph : changedOverlapGraph,
      })
      states.take("nothing")
    }),
  )
  const empty = world.copy()
  empty.wipe()
  // The other release may be the one that comes back: to it, what the crash left is either its own or to be rebuilt.
  const twins = states.points.map((point) => ({ ...point, directory: `${point.directory}-twin` }))
  for (const [index, { directory: from }] of states.points.entries())
    cpSync(from, twins[index]?.directory ?? "", { recursive: true })
  const name = first ? "first opening" : "schema change"
  yield* judgeAll(name, states, { before: empty, after: empty }, first ? overlapGraph : changedOverlapGraph)
  for (const twin of new Map(twins.map((point) => [point.directory, point])).values())
    yield* Effect.scoped(judge(twin, { before: first ? empty : world, after: empty }, overlapGraph)).pipe(
      Effect.mapError(
        (cause) => new Error(`${name} undone, point ${twin.index}: ${String(cause)}`, { cause }),
      ),
    )
  const counted = countedOf(states)
  for (const { directory: twin } of twins) rmSync(twin, { recursive: true, force: true })
  states.remove()
  rmSync(directory, { recursive: true })
  return counted
})

/** Crashes through all kinds of work, seed by seed, until there are enough points. Fails with the first difference. */
export const crashPoints = (options: CrashOptions): Effect.Effect<CrashReport, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(Effect.sync(makeFolder), (made) =>
        Effect.sync(() => rmSync(made, { recursive: true, force: true })),
      )
      const template = join(folder, "template")
      yield* Effect.scoped(openAt(template))
      const byKind: Record<string, number> = {}
      const statements = new Set<string>()
      let [points, states, seed] = [0, 0, options.seed]
      const works = [
        ...kinds.map((kind) => ({
          name: kind.name,
          run: (of: number) => crashWork(kind, of, template, folder),
        })),
        { name: "first opening", run: (of: number) => crashOpening(true, of, template, folder) },
        { name: "schema change", run: (of: number) => crashOpening(false, of, template, folder) },
      ].filter(({ name }) => options.only?.includes(name) ?? true)
      for (; points < options.points && works.length > 0; seed++) {
        for (const { name, run } of works) {
          const counted = yield* run(seed).pipe(
            Effect.mapError((cause) => new Error(`seed ${seed}: ${String(cause)}`, { cause })),
          )
          byKind[name] = (byKind[name] ?? 0) + counted.points
          points += counted.points
          states += counted.states
          for (const statement of counted.statements) statements.add(statement)
        }
        options.log?.(`seed ${seed}: ${points} points, ${states} distinct states`)
      }
      return { points, states, byKind, statements: [...statements].sort(), lastSeed: seed - 1 }
    }),
  )
