/**
 * 10,000 times: a lease taken or given back, the chosen company changed. Afterwards, when every `keepFor` has passed, nothing
 * may be left that was not there before: no fiber, timer, run, listener, stored instance or note about one. Virtual time.
 */
import { Clock, Effect, Exit, Layer, Metric, Scope } from "effect"
import {
  defaultEngineConfig,
  Engine,
  EngineConfig,
  HostSignals,
  LocalStore,
  ShapeSource,
} from "@espalier/engine"
import { client, eq, Graph, identity, param } from "@espalier/engine/graph"
import { seeded } from "@espalier/engine/testing"
import { makeCompaniesStore, makeQuietSource, userId } from "../../lib/manyCompanies.ts"
import { atMost, type Measure, measureOf, type SuiteOptions } from "../../lib/measure.ts"
import { VirtualTime } from "../../lib/virtualTime.ts"

const keepForMillis = 1_000
const companies = 20

const graph = Graph.make({
  name: "churn",
  params: { userId: identity("uuid"), chosen: client("text") },
  tables: {
    company_members: { columns: { id: "text", company_id: "uuid", user_id: "uuid" }, primaryKey: ["id"] },
    companies: { columns: { id: "uuid", name: "text" }, primaryKey: ["id"] },
    notes: { columns: { id: "uuid", company_id: "uuid" }, primaryKey: ["id"] },
    views: { columns: { id: "text", name: "text" }, primaryKey: ["id"] },
  },
  nodes: {
    mine: { table: "company_members", where: eq("user_id", param("userId")), key: "user-{userId}" },
    companies: { table: "companies", parent: "mine", on: { id: "company_id" }, key: "company-{id}" },
    notes: {
      table: "notes",
      parent: "companies",
      on: { company_id: "id" },
      key: "company-{id}-notes",
      sync: "onDemand",
      keepForMillis,
    },
    view: { table: "views", where: eq("name", param("chosen")), key: "view-{chosen}", keepForMillis },
  },
})

/** Counts fibers as the runtime starts and ends them. */
const makeFiberCount = () => {
  let running = 0
  const service: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => void (running += 1),
    recordFiberEnd: () => void (running -= 1),
  }
  return { service, running: (): number => running }
}

const start = async () => {
  const time = new VirtualTime()
  const fibers = makeFiberCount()
  const quiet = makeQuietSource(companies)
  const store = makeCompaniesStore()
  const scope = Scope.makeUnsafe()
  const layer = Engine.layer({ graph, params: { userId, chosen: "0" } }).pipe(
    Layer.provide(Layer.succeed(ShapeSource, quiet.source)),
    Layer.provide(Layer.succeed(LocalStore, store.store)),
    Layer.provide(Layer.succeed(HostSignals, HostSignals.alwaysOnline)),
    Layer.provide(Layer.succeed(EngineConfig, { ...defaultEngineConfig, maxConcurrentSnapshots: 1_000 })),
    Layer.provide(Layer.succeed(Clock.Clock, time.clock)),
    Layer.provide(Layer.succeed(Metric.FiberRuntimeMetrics, fibers.service)),
  )
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  const engine = await Effect.runPromise(Effect.provideContext(Engine, context))
  return { time, fibers, quiet, store, engine, scope }
}

export const measureChurn = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  if (!options.wants("churn.leaks")) return []
  const { engine, fibers, quiet, scope, store, time } = await start()
  const { below } = seeded(7)
  const leases: Array<Scope.Closeable> = []
  const release = async (): Promise<void> => {
    const [lease] = leases.splice(below(leases.length), 1)
    if (lease !== undefined) await Effect.runPromise(Scope.close(lease, Exit.void))
  }
  const acquire = async (): Promise<void> => {
    const lease = Scope.makeUnsafe()
    leases.push(lease)
    const id = `10000000-0000-4000-8000-${below(companies).toString(16).padStart(12, "0")}`
    const bindings = below(4) === 0 ? {} : { company_id: id }
    await Effect.runPromise(Scope.provide(engine.acquire({ node: "notes", bindings }), lease))
  }
  const choose = (): Promise<void> => Effect.runPromise(engine.setParams({ chosen: String(below(50)) }))
  const cycle = async (): Promise<void> => {
    const dice = below(3)
    if (dice === 0) await choose()
    else if (dice === 1 || leases.length === 0) await acquire()
    else await release()
    if (leases.length > 30) await release()
  }
  /** Nobody asks for anything, the first view is chosen, and every `keepFor` has passed. */
  const rest = async () => {
    while (leases.length > 0) await release()
    await Effect.runPromise(engine.setParams({ chosen: "0" }))
    await time.run(10 * keepForMillis)
    const status = await Effect.runPromise(engine.status)
    return {
      fibers: fibers.running(),
      timers: time.asleep,
      runs: quiet.open(),
      stored: store.held(),
      known: Object.keys(status.instances).length,
    }
  }
  const cycles = options.quick ? 1_000 : 10_000
  for (let turn = 0; turn < 100; turn += 1) await cycle()
  const before = await rest()
  const startsBefore = quiet.starts()
  for (let turn = 0; turn < cycles; turn += 1) {
    await cycle()
    await time.run(below(300))
  }
  const after = await rest()
  options.log(
    `  ${cycles} cycles, ${quiet.starts() - startsBefore} runs started; before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`,
  )
  await Effect.runPromise(Scope.close(scope, Exit.void))
  const left = { fibers: fibers.running(), timers: time.asleep, runs: quiet.open() }
  options.log(`  after closing ${JSON.stringify(left)}`)
  const leaks =
    Object.entries(after).reduce(
      (sum, [name, count]) => sum + Math.abs(count - before[name as keyof typeof before]),
      0,
    ) + Object.values(left).reduce((sum, count) => sum + Math.abs(count), 0)
  return [measureOf("churn.leaks", [leaks], "left over", atMost(0))]
}
