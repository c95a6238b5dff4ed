/**
 * Runs one plan from its first event to quiescence: applies the events, lets the trouble end, waits for convergence within a bounded
 * virtual time, drops all leases and waits for what is kept, and shuts everything down. Ends at the first violation.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import type { GraphData } from "../../graph/Graph.ts"
import type { Texts } from "../model/filters.ts"
import { randomService, seeded } from "../random.ts"
import { VirtualTime, virtualStartMillis } from "../virtualTime.ts"
import { missing } from "./convergence.ts"
import type { Plan, SimEvent } from "./events.ts"
import type { SimStore } from "./GuardedStore.ts"
import { Simulation } from "./Simulation.ts"
import type { InvariantName, Violation } from "./violations.ts"

/** Everything desired is live this long after the trouble ended, in virtual milliseconds. */
export const livenessBoundMillis = 180_000

export interface RunOptions {
  readonly graph: GraphData
  readonly params: Texts
  /** A new, empty store. */
  readonly makeStore: Effect.Effect<SimStore, unknown>
  /** Keep a line for everything that happens. Default false. */
  readonly trace?: boolean
}

export interface RunOutcome {
  readonly seed: number
  readonly violation: Violation | null
  /** Events applied. */
  readonly steps: number
  /** Time that passed step by step; what the clock jumped over is not in it. */
  readonly virtualMillis: number
  readonly crashes: number
  readonly restarts: number
  /** Requests and store calls that were made to fail. */
  readonly faults: number
  readonly batches: number
  readonly trace: ReadonlyArray<string>
}

/** Thrown inside a run to end it at its first violation. */
class Stop extends Error {}

/** Runs a plan. Never rejects: what breaks is a violation. */
export const runPlan = async (plan: Plan, options: RunOptions): Promise<RunOutcome> => {
  const time = new VirtualTime()
  const trace: Array<string> = []
  const found: { violation: Violation | null } = { violation: null }
  const elapsed = (): number => time.now - virtualStartMillis
  const log = options.trace === true ? (line: string) => void trace.push(`${elapsed()} ${line}`) : () => {}
  const report = (invariant: InvariantName, message: string): void => {
    log(`VIOLATION ${invariant}: ${message}`)
    found.violation ??= { invariant, message, atMillis: elapsed() }
  }
  const counts = { steps: 0 }
  const world: { simulation: Simulation | null } = { simulation: null }
  const program = Effect.gen(function* () {
    const store = yield* time.outside(options.makeStore)
    const simulation = yield* Simulation.make({ ...options, plan, store, time, report, log })
    world.simulation = simulation
    yield* drive(simulation, { plan, time, log, report, counts, isBroken: () => found.violation !== null })
  }).pipe(
    Effect.provideService(Random.Random, randomService(seeded(plan.seed ^ 0x5bd1e995))),
    Effect.provide(Logger.layer([crashLogger(report)])),
    Effect.scoped,
  )
  const exit = await time.run(program)
  if (Exit.isFailure(exit) && !(Cause.squash(exit.cause) instanceof Stop))
    report("no-crash", Cause.pretty(exit.cause).split("\n").slice(0, 6).join(" | "))
  const { simulation } = world
  if (simulation?.engine != null && options.trace === true)
    for (const line of await Effect.runPromise(simulation.journal(simulation.engine))) log(line)
  return {
    seed: plan.seed,
    violation: found.violation,
    steps: counts.steps,
    virtualMillis: elapsed() - time.jumped,
    crashes: simulation?.guard.deaths ?? 0,
    restarts: simulation?.restarts ?? 0,
    faults:
      (simulation?.guard.failed ?? 0) +
      [...(simulation?.server.struck.values() ?? [])].reduce((a, b) => a + b, 0),
    batches: simulation?.engines.batches ?? 0,
    trace,
  }
}

/** Errors the engine logs are failures of a run; warnings are its daily bread. */
const crashLogger = (report: (invariant: InvariantName, message: string) => void) =>
  Logger.make<unknown, void>(({ cause, logLevel, message }) => {
    if (logLevel === "Error" || logLevel === "Fatal")
      report("no-crash", `${String(message)} ${Cause.pretty(cause).split("\n").slice(0, 4).join(" | ")}`)
  })

interface Drive {
  readonly plan: Plan
  readonly time: VirtualTime
  readonly log: (line: string) => void
  readonly report: (invariant: InvariantName, message: string) => void
  readonly counts: { steps: number }
  readonly isBroken: () => boolean
}

const drive = Effect.fnUntraced(function* (simulation: Simulation, run: Drive) {
  yield* simulation.start()
  yield* step(simulation, run, null)
  for (const event of run.plan.events) yield* step(simulation, run, event)
  yield* heal(simulation)
  yield* awaitConvergence(simulation, run)
  run.log("leases end")
  for (const id of simulation.leases.ids) yield* simulation.leases.release(id)
  yield* run.time.adjust(longestKeep(simulation) + 1_000)
  yield* step(simulation, run, null)
  const left = yield* missing(simulation, false)
  if (left !== null) run.report("undesired-goes", left)
  yield* stopIfBroken(run)
  yield* simulation.stop()
  const { sleeping } = run.time
  if (sleeping > 0) run.report("nothing-left", `${sleeping} timers are set`)
})

const step = Effect.fnUntraced(function* (simulation: Simulation, run: Drive, event: SimEvent | null) {
  if (event !== null) {
    run.counts.steps++
    run.log(`EVENT ${JSON.stringify(event)}`)
    yield* simulation.apply(event)
  }
  yield* run.time.adjust(0)
  yield* stopIfBroken(run)
  if (simulation.guard.isDead) {
    run.log("the process died; it starts again")
    yield* simulation.restart()
    yield* run.time.adjust(0)
  }
  const { engine } = simulation
  if (engine !== null) yield* simulation.engines.check(engine, simulation.pauses.size > 0)
  yield* stopIfBroken(run)
})

const stopIfBroken = (run: Drive): Effect.Effect<void> =>
  Effect.suspend(() => (run.isBroken() ? Effect.die(new Stop()) : Effect.void))

/** The trouble ends: no more faults, everybody online and signed in. */
const heal = Effect.fnUntraced(function* (simulation: Simulation) {
  const { server } = simulation
  server.faults.length = 0
  server.downUntil = 0
  server.expiredUntil = 0
  server.gateway.forgetReleases()
  simulation.guard.heal()
  if (simulation.guard.isDead) yield* simulation.restart()
  yield* simulation.online()
  for (const [reason, count] of [...simulation.pauses]) {
    for (let left = count; left > 0; left--) yield* simulation.resume(reason)
  }
})

const awaitConvergence = Effect.fnUntraced(function* (simulation: Simulation, run: Drive) {
  const deadline = run.time.now + livenessBoundMillis
  for (;;) {
    yield* pressRetry(simulation)
    yield* step(simulation, run, { _tag: "Advance", millis: 1_000 })
    const left = yield* missing(simulation)
    if (left === null) return
    if (run.time.now >= deadline) {
      run.report("converges", left)
      return yield* stopIfBroken(run)
    }
  }
})

/** A person clears what only a person can clear. A denial that says "revoked" is not among it: the engine must see to that. */
const pressRetry = Effect.fnUntraced(function* (simulation: Simulation) {
  const { engine } = simulation
  if (engine === null) return
  const { instances } = yield* engine.status
  for (const { error, key, state } of Object.values(instances)) {
    if (state === "Halted" && error?.message !== "revoked") yield* Effect.forkChild(engine.retry(key))
  }
})

const longestKeep = (simulation: Simulation): number =>
  Math.max(...Object.values(simulation.server.graph.nodes).map(({ keepForMillis }) => keepForMillis))
