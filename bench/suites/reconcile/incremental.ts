/**
 * What one change costs beside the whole: 10,000 companies, about 60,000 instances desired and live, then one company
 * more and one less, over and over. And what an idle instance costs in memory. Real clock, no network, no SQL.
 */
import { Effect, Exit, Layer, Scope } from "effect"
import {
  defaultEngineConfig,
  Engine,
  EngineConfig,
  HostSignals,
  LocalStore,
  ShapeSource,
} from "@espalier/engine"
import {
  batchOf,
  companiesGraph,
  companyId,
  instancesPerCompany,
  makeCompaniesStore,
  makeQuietSource,
  membership,
  mineKey,
  userId,
} from "../../lib/manyCompanies.ts"
import {
  atLeast,
  atMost,
  collectGarbage,
  type Measure,
  measureOf,
  type SuiteOptions,
} from "../../lib/measure.ts"

const config = {
  ...defaultEngineConfig,
  // The limits on connections are measured elsewhere; here everything may run at once.
  maxConcurrentSnapshots: Number.MAX_SAFE_INTEGER,
  revokeGraceMillis: 0,
}

const heapBytes = (): number => {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().heapUsed
}

interface Running {
  readonly store: ReturnType<typeof makeCompaniesStore>
  readonly quiet: ReturnType<typeof makeQuietSource>
  readonly engine: Engine["Service"]
  /** Milliseconds until the desired state was known. */
  readonly coldMillis: number
  readonly close: () => Promise<void>
}

const start = async (companies: number, store: Running["store"]): Promise<Running> => {
  const quiet = makeQuietSource(companies)
  const scope = Scope.makeUnsafe()
  const layer = Engine.layer({ graph: companiesGraph, params: { userId } }).pipe(
    Layer.provide(Layer.succeed(ShapeSource, quiet.source)),
    Layer.provide(Layer.succeed(LocalStore, store.store)),
    Layer.provide(Layer.succeed(HostSignals, HostSignals.alwaysOnline)),
    Layer.provide(Layer.succeed(EngineConfig, config)),
  )
  const from = performance.now()
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  const coldMillis = performance.now() - from
  const engine = await Effect.runPromise(Effect.provideContext(Engine, context))
  return { store, quiet, engine, coldMillis, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

/** One company more, then one less: milliseconds until its instances run, and until they are gone. */
const changeOnce = async ({ quiet, store }: Running, companies: number, round: number) => {
  const key = `company-${companyId(companies)}`
  const running = quiet.open()
  const from = performance.now()
  quiet.push(mineKey, batchOf(mineKey, 10 * round + 2, [membership("insert", companies, 10 * round + 2)]))
  await until(() => quiet.isOpen(`${key}-labels`) && quiet.open() === running + instancesPerCompany)
  const added = performance.now()
  quiet.push(mineKey, batchOf(mineKey, 10 * round + 5, [membership("delete", companies, 10 * round + 5)]))
  await until(() => !store.has(key) && quiet.open() === running)
  return { added: added - from, removed: performance.now() - added }
}

export const measureIncremental = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  if (!options.wants("incremental.cold-vs-one-change") && !options.wants("memory.idle-instance-bytes"))
    return []
  const companies = options.quick ? 1_000 : 10_000
  const desired = 1 + companies * instancesPerCompany
  const store = makeCompaniesStore()
  const first = await start(companies, store)
  await until(() => first.quiet.open() === desired)
  await first.close()

  // The second start is a reload: everything is in the store, nothing is compiled or known yet.
  const before = heapBytes()
  const running = await start(companies, store)
  await until(() => running.quiet.open() === desired)
  const perInstance = (heapBytes() - before) / desired
  options.log(
    `  ${desired} instances live; cold ${running.coldMillis.toFixed(0)} ms; ${perInstance.toFixed(0)} bytes each`,
  )

  const changes: Array<number> = []
  const rounds = 3 + options.rounds * 4
  for (let round = 0; round < rounds; round += 1) {
    const { added, removed } = await changeOnce(running, companies, round)
    options.log(
      `  ${round < 3 ? "warm-up" : `round ${round - 2}`}  added ${added.toFixed(2)} ms, removed ${removed.toFixed(2)} ms`,
    )
    if (round >= 3) changes.push(added, removed)
  }
  await running.close()
  const cheaper = changes.map((millis) => running.coldMillis / millis)
  return [
    measureOf("incremental.cold-vs-one-change", cheaper, "x cheaper", atLeast(1_000)),
    measureOf("memory.idle-instance-bytes", [Math.round(perInstance)], "bytes", atMost(4_096)),
  ].filter(({ id }) => options.wants(id))
}
