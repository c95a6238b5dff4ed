/**
 * One simulated world: a model server, a guarded store, and an engine that is started, killed and started again as the events say.
 * Applies events and holds the run to its invariants after each. One fiber drives it; called by `runPlan.ts`.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Engine } from "../../Engine.ts"
import type { GraphData } from "../../graph/Graph.ts"
import { defaultEngineConfig, type EngineConfigShape } from "../../ports/EngineConfig.ts"
import { type HostSignal, HostSignals } from "../../ports/HostSignals.ts"
import type { PauseReason } from "../../protocol/InstanceStatus.ts"
import type { ShapeRequest } from "../model/answers.ts"
import { ModelServer } from "../model/ModelServer.ts"
import type { Texts } from "../model/filters.ts"
import type { SimTime } from "../simTime.ts"
import { EngineWatch } from "./EngineWatch.ts"
import type { Plan, SimEvent } from "./events.ts"
import { GuardedStore, type SimStore } from "./GuardedStore.ts"
import { checkNothingLeft, journalLines, type RunningEngine, startEngine } from "./RunningEngine.ts"
import { HeldLeases } from "./HeldLeases.ts"
import { InstanceWatch } from "./StoreWatch.ts"
import type { Report } from "./violations.ts"

export interface SimulationOptions {
  readonly graph: GraphData
  readonly params: Texts
  readonly plan: Plan
  readonly store: SimStore
  readonly time: SimTime
  readonly report: Report
  readonly log: (line: string) => void
}

/** How long a host waits before it starts an engine again whose store could not be read. */
const startAgainMillis = 500

export class Simulation {
  readonly server: ModelServer
  readonly stores: InstanceWatch
  readonly engines: EngineWatch
  readonly guard: GuardedStore
  readonly config: EngineConfigShape
  readonly leases = new HeldLeases()
  readonly pauses = new Map<PauseReason, number>()
  restarts = 0
  readonly #options: SimulationOptions
  readonly #host: SubscriptionRef.SubscriptionRef<HostSignal>
  #params: Texts
  #running: RunningEngine | null = null

  constructor(options: SimulationOptions, host: SubscriptionRef.SubscriptionRef<HostSignal>) {
    const { graph, log, params, plan, report, store, time } = options
    this.#options = options
    this.#host = host
    this.#params = params
    this.config = { ...defaultEngineConfig, ...plan.config }
    this.server = new ModelServer({ graph, params, ...plan.server })
    const { server } = this
    const snapshotChunk = plan.server.snapshotChunk ?? Number.POSITIVE_INFINITY
    this.stores = new InstanceWatch({ graph, server, store, report, snapshotChunk })
    const { maxConnections } = this.config
    this.engines = new EngineWatch({
      ...{ graph, report, log, maxConnections },
      stores: this.stores,
      now: () => time.now,
      isDesired: (key) =>
        this.engine !== null && Effect.runSync(this.engine.explain(key)).status?.desired === true,
      demanded: () =>
        [...server.oracle.demanded(server.database.read, null).values()].map(({ instance }) => instance),
    })
    this.guard = new GuardedStore(
      store,
      {
        beforeCommit: this.engines.beforeCommit,
        afterCommit: this.stores.afterCommit,
        acknowledged: (shares) => this.engines.noteCommitted(shares),
        afterCollect: this.stores.afterCollect,
        afterDiscard: this.stores.afterDiscard,
        afterWipe: this.stores.afterWipe,
      },
      (operation) => time.outside(operation),
    )
    this.server.commit(plan.rows, time.now)
  }

  /** A simulation over a host that is online and visible. */
  static readonly make = (options: SimulationOptions): Effect.Effect<Simulation> =>
    Effect.map(
      SubscriptionRef.make<HostSignal>({ online: true, visible: true }),
      (host) => new Simulation(options, host),
    )

  get engine(): Engine["Service"] | null {
    return this.#running?.engine ?? null
  }

  readonly start = (): Effect.Effect<void, unknown> =>
    Effect.gen({ self: this }, function* () {
      for (;;) {
        this.engines.gap()
        this.engines.forgetFailures()
        const scope = yield* Scope.make()
        const started = yield* Effect.exit(this.#startIn(scope))
        if (Exit.isSuccess(started)) {
          this.#running = started.value
          break
        }
        yield* Scope.close(scope, Exit.void)
        yield* this.#options.time.adjust(startAgainMillis)
      }
      if (this.engine !== null) yield* this.leases.announce(this.engine)
    })

  /** Ends the engine; a dead one is buried first, so that nothing it still does is durable. */
  readonly stop = (): Effect.Effect<void> =>
    Effect.gen({ self: this }, function* () {
      const running = this.#running
      if (running === null) return
      this.#running = null
      for (const line of yield* this.journal(running.engine)) this.#options.log(line)
      yield* this.leases.suspend()
      yield* Scope.close(running.scope, Exit.void)
      this.pauses.clear()
      checkNothingLeft(running, this.engines, this.#options.report)
    })

  /** What an engine decided and why, a line each. */
  journal(engine: Engine["Service"]): Effect.Effect<ReadonlyArray<string>> {
    return journalLines(engine, this.#options.time.startMillis)
  }

  readonly restart = (): Effect.Effect<void, unknown> =>
    Effect.gen({ self: this }, function* () {
      const died = this.guard.isDead
      if (died) this.guard.bury()
      yield* this.stop()
      this.restarts++
      if (died) {
        this.guard.bury()
        yield* this.#options.time.outside(this.#options.store.reopen)
        yield* this.#options.time.outside(this.stores.afterReopen())
      }
      yield* this.start()
    })

  /** Applies one event. */
  readonly apply = (event: SimEvent): Effect.Effect<void, unknown> => {
    const { server } = this
    const { time } = this.#options
    const { now } = time
    switch (event._tag) {
      case "Commit":
        return Effect.sync(() => {
          server.commit(event.writes, now, event.late === true)
          const demanded = server.oracle.demanded(server.database.read, null)
          this.engines.forgetFailures((key) => demanded.has(key))
        })
      case "Begin":
        return Effect.sync(() => server.database.begin())
      case "Advance":
        return time.adjust(event.millis)
      case "Fault":
        return Effect.sync(() => {
          const { fault, node, share } = event
          server.faults.push({
            fault,
            share,
            until: now + event.forMillis,
            ...(node === undefined ? {} : { node }),
          })
        })
      case "Rotate":
        return Effect.sync(() => server.rotate(event.table === undefined ? undefined : [event.table]))
      case "SchemaChange":
        return Effect.sync(() => server.alter(event.table, now, event.newerMillis))
      case "ServerRestart":
        return Effect.sync(() => server.restart(now, event.downMillis))
      case "TokenExpired":
        return Effect.sync(() => {
          server.expiredUntil = now + event.forMillis
        })
      case "Kill":
        return Effect.sync(() => this.guard.killAt(event.atWrite, event.moment))
      case "StoreFault":
        return Effect.sync(() => this.guard.failNext(event.operation, event.kind, event.moment))
      case "HandOver":
        return this.#handOver(event.params)
      case "ClockJump":
        return time.jump(event.millis)
      case "Host":
        return this.#signal(event)
      default:
        return this.#ask(event)
    }
  }

  /** What people ask of the engine. */
  #ask(
    event: Extract<
      SimEvent,
      { readonly _tag: "Lease" | "Unlease" | "Params" | "Pause" | "Resume" | "Retry" | "Refetch" | "Wipe" }
    >,
  ): Effect.Effect<void, unknown> {
    this.engines.forgetFailures()
    const { engine } = this
    if (engine === null) return Effect.void
    switch (event._tag) {
      case "Lease":
        return this.leases.take(event.id, event.lease, engine)
      case "Unlease":
        return this.leases.release(event.id)
      case "Params": {
        const params = this.#choose(event.params)
        return Effect.asVoid(Effect.forkChild(Effect.orDie(engine.setParams(params))))
      }
      case "Pause":
        this.pauses.set(event.reason, (this.pauses.get(event.reason) ?? 0) + 1)
        return engine.pause(event.reason)
      case "Resume":
        return this.resume(event.reason)
      case "Retry":
      case "Refetch":
        return Effect.gen(function* () {
          const keys = Object.keys((yield* engine.status).instances).toSorted()
          const key = keys[event.index % Math.max(1, keys.length)]
          if (key !== undefined)
            yield* Effect.forkChild(event._tag === "Retry" ? engine.retry(key) : engine.refetch(key))
        })
      case "Wipe":
        return Effect.gen({ self: this }, function* () {
          yield* Effect.forkChild(Effect.ignore(engine.wipe))
          yield* this.#options.time.adjust(0)
          yield* this.restart()
        })
    }
  }

  readonly resume = (reason: PauseReason): Effect.Effect<void> =>
    Effect.suspend(() => {
      const count = this.pauses.get(reason) ?? 0
      if (count === 0 || this.engine === null) return Effect.void
      if (count === 1) this.pauses.delete(reason)
      else this.pauses.set(reason, count - 1)
      this.engines.gap()
      return this.engine.resume(reason)
    })

  #signal({ online, visible }: HostSignal): Effect.Effect<void> {
    return Effect.flatMap(SubscriptionRef.get(this.#host), (before) => {
      if (online && !before.online) this.engines.gap()
      return SubscriptionRef.set(this.#host, { online, visible })
    })
  }

  /** The host says it is online and visible. */
  readonly online = (): Effect.Effect<void> => this.#signal({ online: true, visible: true })

  #handOver(params: Texts | undefined): Effect.Effect<void, unknown> {
    if (params !== undefined) this.#choose(params)
    return this.restart()
  }

  /** New values of the client's parameters; returns those that are its to choose. */
  #choose(params: Texts): Texts {
    const { graph, time } = this.#options
    const own = Object.fromEntries(
      Object.entries(params).filter(([name]) => graph.params[name]?.source === "client"),
    )
    this.#params = { ...this.#params, ...own }
    this.server.gateway.setParams(own, time.now)
    return own
  }

  #startIn(scope: Scope.Closeable): Effect.Effect<RunningEngine, unknown> {
    const { graph, plan } = this.#options
    const request = (asked: ShapeRequest) => this.engines.counted(this.server.request(asked))
    const signals = HostSignals.of({ changes: SubscriptionRef.changes(this.#host).pipe(Stream.changes) })
    return Effect.suspend(() =>
      startEngine(
        {
          ...{ graph, signals },
          params: this.#params,
          config: this.config,
          source: { endpoint: { request }, observer: this.engines, ...plan.source },
          store: this.guard.open(),
        },
        scope,
      ),
    )
  }
}
