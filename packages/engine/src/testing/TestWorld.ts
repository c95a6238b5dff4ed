/**
 * A world to test a graph in: a model server with your rows, a memory store, and the real engine between them. Say what happens
 * (commits, faults, leases, crashes), then say what must be true. Every step also holds the engine to its invariants. Runs on the
 * `TestClock` of an `it.effect`; `openWorld` is the same for tests without Effect.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { GraphData } from "../graph/Graph.ts"
import type { EngineConfigShape } from "../ports/EngineConfig.ts"
import type { EngineStatus, Explanation, PauseReason } from "../protocol/InstanceStatus.ts"
import type { TextRow } from "../protocol/Message.ts"
import type { Fault } from "./model/faults.ts"
import type { Texts } from "./model/filters.ts"
import type { Write } from "./model/ModelDatabase.ts"
import type { ModelServerOptions } from "./model/ModelServer.ts"
import { missing } from "./sim/convergence.ts"
import type { SimEvent } from "./sim/events.ts"
import { Simulation } from "./sim/Simulation.ts"
import { memorySimStore } from "./sim/stores.ts"
import { invariants, type Violation } from "./sim/violations.ts"
import { type SimTime, testClockTime } from "./simTime.ts"
import { madeUpParams } from "./sim/simulate.ts"

export interface WorldOptions {
  readonly graph: GraphData
  /** Values of the graph's parameters as Postgres text. Default: one made up for each. */
  readonly params?: Texts
  /** Rows the server has at the start. */
  readonly rows?: ReadonlyArray<Write>
  /** The server's ways: latency, chunks, slow move-ins, a gateway. Default: none of it. */
  readonly server?: Omit<ModelServerOptions, "graph" | "params">
  readonly config?: Partial<EngineConfigShape>
  /** Where time comes from. Default: the `TestClock` of the surrounding test. */
  readonly time?: SimTime
}

/** Something that must be true is not. The message says what, where, and what the engine did last. */
export class WorldBroken extends Data.TaggedError("WorldBroken")<{ readonly message: string }> {}

/** Lines of the journal an error carries. */
const journalLines = 25

/** How long {@link expectConverged} waits by default, in virtual milliseconds. */
export const defaultWithinMillis = 60_000

export class TestWorld {
  readonly simulation: Simulation
  readonly time: SimTime
  readonly #violations: ReadonlyArray<Violation>
  #leases = 1_000

  private constructor(simulation: Simulation, time: SimTime, violations: ReadonlyArray<Violation>) {
    this.simulation = simulation
    this.time = time
    this.#violations = violations
  }

  /** A world whose engine runs until the scope closes. */
  static readonly make = (options: WorldOptions): Effect.Effect<TestWorld, WorldBroken, Scope.Scope> =>
    Effect.gen(function* () {
      const time = options.time ?? (yield* testClockTime)
      const violations: Array<Violation> = []
      const simulation = yield* Simulation.make({
        graph: options.graph,
        params: options.params ?? madeUpParams(options.graph),
        plan: {
          seed: options.server?.seed ?? 1,
          server: { seed: 1, snapshotChunk: 1_000, ...options.server },
          source: { prefetch: true, signals: true },
          config: options.config ?? {},
          rows: options.rows ?? [],
          events: [],
        },
        store: yield* memorySimStore(options.graph),
        time,
        report: (invariant, message) =>
          void violations.push({ invariant, message, atMillis: time.now - time.startMillis }),
        log: () => {},
      })
      const world = new TestWorld(simulation, time, violations)
      yield* Effect.acquireRelease(Effect.orDie(simulation.start()), () => simulation.stop())
      yield* world.advance(0)
      return world
    })

  /** Any event of the simulator's language. */
  apply(event: SimEvent): Effect.Effect<void, WorldBroken> {
    return Effect.andThen(Effect.orDie(this.simulation.apply(event)), this.#settle)
  }

  /** One transaction commits on the server. */
  commit(...writes: ReadonlyArray<Write>): Effect.Effect<void, WorldBroken> {
    return this.apply({ _tag: "Commit", writes })
  }

  /** Lets virtual time pass. */
  advance(millis: number): Effect.Effect<void, WorldBroken> {
    return this.apply({ _tag: "Advance", millis })
  }

  /** A fault is in force for a while, for all requests or those of one node. */
  fault(
    fault: Fault,
    options: { readonly forMillis: number; readonly share?: number; readonly node?: string },
  ): Effect.Effect<void, WorldBroken> {
    return this.apply({ _tag: "Fault", share: 1, ...options, fault })
  }

  /** The handles of a server table's shapes (all without an argument) are void. */
  rotate(table?: string): Effect.Effect<void, WorldBroken> {
    return this.apply({ _tag: "Rotate", ...(table === undefined ? {} : { table }) })
  }

  /** Asks for instances of a node until the returned effect is run. */
  lease(node: string, bindings: Texts = {}): Effect.Effect<Effect.Effect<void, WorldBroken>, WorldBroken> {
    return Effect.suspend(() => {
      const id = this.#leases++
      return Effect.as(
        this.apply({ _tag: "Lease", id, lease: { node, bindings } }),
        this.apply({ _tag: "Unlease", id }),
      )
    })
  }

  /** The route changes: other values of the client's parameters, as Postgres text. Names of the identity's are left out. */
  setParams(params: Texts): Effect.Effect<void, WorldBroken> {
    return this.apply({ _tag: "Params", params })
  }

  /** The host says it is offline, or online again. */
  online(online: boolean): Effect.Effect<void, WorldBroken> {
    return this.apply({ _tag: "Host", online, visible: true })
  }

  pause(reason: PauseReason): Effect.Effect<void, WorldBroken> {
    return this.apply({ _tag: "Pause", reason })
  }

  resume(reason: PauseReason): Effect.Effect<void, WorldBroken> {
    return this.apply({ _tag: "Resume", reason })
  }

  /** The process dies at the n-th store write from now (default the next) and starts again; before or after it is durable. */
  killAtWrite(atWrite = 1, moment: "before" | "after" = "after"): Effect.Effect<void, WorldBroken> {
    return this.apply({ _tag: "Kill", atWrite, moment })
  }

  /** The process ends in good order and starts again on the same store. */
  restart(): Effect.Effect<void, WorldBroken> {
    return Effect.andThen(Effect.orDie(this.simulation.restart()), this.#settle)
  }

  /** The readable rows of a local table, as Postgres text, in order of their primary keys. */
  rows(table: string): ReadonlyArray<TextRow> {
    return this.simulation.stores.rows(table)
  }

  get status(): Effect.Effect<EngineStatus> {
    return this.#engine((engine) => engine.status)
  }

  /** Why an instance is (not) here. */
  explain(key: string): Effect.Effect<Explanation> {
    return this.#engine((engine) => engine.explain(key))
  }

  /** What the engine decided and why, a line each. */
  get journal(): Effect.Effect<ReadonlyArray<string>> {
    return this.#engine((engine) => this.simulation.journal(engine))
  }

  /** Fails with what is wrong and what happened before. */
  broken(what: string): Effect.Effect<never, WorldBroken> {
    return Effect.flatMap(this.journal, (lines) =>
      Effect.fail(new WorldBroken({ message: [what, ...lines.slice(-journalLines)].join("\n") })),
    )
  }

  /** What happened so far broke no invariant; a process that died has started again. */
  readonly #settle: Effect.Effect<void, WorldBroken> = Effect.gen({ self: this }, function* () {
    const { simulation } = this
    yield* this.time.adjust(0)
    if (simulation.guard.isDead) {
      yield* Effect.orDie(simulation.restart())
      yield* this.time.adjust(0)
    }
    if (simulation.engine !== null)
      yield* simulation.engines.check(simulation.engine, simulation.pauses.size > 0)
    const [violation] = this.#violations
    if (violation !== undefined)
      return yield* this.broken(
        `"${violation.invariant}" is broken (${invariants[violation.invariant]}): ${violation.message}`,
      )
  })

  #engine<A>(use: (engine: NonNullable<Simulation["engine"]>) => Effect.Effect<A>): Effect.Effect<A> {
    const { engine } = this.simulation
    return engine === null ? Effect.die(new Error("the engine of this world is stopped")) : use(engine)
  }
}

/** Everything the graph demands of the server's rows is live and holds exactly its rows, within bounded virtual time. */
export const expectConverged = Effect.fnUntraced(function* (
  world: TestWorld,
  options: { readonly withinMillis?: number } = {},
) {
  const deadline = world.time.now + (options.withinMillis ?? defaultWithinMillis)
  for (;;) {
    const left = yield* missing(world.simulation)
    if (left === null) return
    if (world.time.now >= deadline) return yield* world.broken(`not converged: ${left}`)
    yield* world.advance(Math.min(100, deadline - world.time.now))
  }
})

/** A local table shows exactly these rows, in any order; columns that are not named are not compared. */
export const expectRows = (
  world: TestWorld,
  table: string,
  expected: ReadonlyArray<TextRow>,
): Effect.Effect<void, WorldBroken> =>
  Effect.suspend(() => {
    const left = [...world.rows(table)]
    for (const row of expected) {
      const index = left.findIndex((local) =>
        Object.keys(row).every((column) => local[column] === row[column]),
      )
      if (index === -1)
        return world.broken(
          `${table} lacks ${JSON.stringify(row)}; it shows ${JSON.stringify(world.rows(table))}`,
        )
      left.splice(index, 1)
    }
    return left.length === 0 ? Effect.void : world.broken(`${table} shows too much: ${JSON.stringify(left)}`)
  })

/** Ends the engine: no run, request, slot or timer is left. The world's rows can still be read. */
export const expectNoLeaks = (world: TestWorld): Effect.Effect<void, WorldBroken> =>
  Effect.suspend(() => {
    const { simulation } = world
    return Effect.andThen(simulation.stop(), () => {
      const { openRequests, running } = simulation.engines
      return running.length + openRequests === 0
        ? Effect.void
        : Effect.fail(new WorldBroken({ message: `left: ${running.length} runs, ${openRequests} requests` }))
    })
  })
