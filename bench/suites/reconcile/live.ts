/**
 * 1,000 live instances on four connections, as one story on virtual time: everybody becomes live; changes come in while the
 * slots rotate; then the server goes away, comes back asking for patience, and answers. The engine and the Electric source
 * run as they are, only time and `fetch` are the bench's.
 */
import { Clock, Effect, Exit, Layer, Scope } from "effect"
import { defaultEngineConfig, Engine, EngineConfig, HostSignals, LocalStore } from "@espalier/engine"
import { ElectricShapeSource } from "@espalier/engine/electric"
import { companyId, flatGraph, makeCompaniesStore, userId } from "../../lib/manyCompanies.ts"
import { atMost, type Measure, measureOf, type SuiteOptions } from "../../lib/measure.ts"
import { latencyMillis, VirtualElectric } from "../../lib/virtualElectric.ts"
import { VirtualTime } from "../../lib/virtualTime.ts"

const config = { ...defaultEngineConfig, maxConnections: 4 }
const leasedCount = 10

/** The story of the storm, in milliseconds: refused, then 503 with `Retry-After`, then answers. */
const refusedMillis = 5_000
const busyMillis = 10_000
const retryAfterSeconds = 4

interface Story {
  readonly time: VirtualTime
  readonly server: VirtualElectric
  /** Newest version in the store, by key, and when it came. */
  readonly stored: ReadonlyMap<string, { readonly version: number; readonly at: number }>
  /** Keys of the companies; the first ones are leased. */
  readonly keys: ReadonlyArray<string>
  readonly close: () => Promise<void>
}

const begin = async (companies: number): Promise<Story> => {
  const time = new VirtualTime()
  const server = new VirtualElectric(time, companies)
  const stored = new Map<string, { readonly version: number; readonly at: number }>()
  const { store } = makeCompaniesStore(({ checkpoint, instance }) => {
    const version = Number(checkpoint.offset.split("_")[0])
    if (version > (stored.get(instance.key)?.version ?? 0))
      stored.set(instance.key, { version, at: time.now })
  })
  const scope = Scope.makeUnsafe()
  const layer = Engine.layer({ graph: flatGraph, params: { userId } }).pipe(
    Layer.provide(
      ElectricShapeSource.layer({ url: "http://localhost/v1/shape", kind: "electric", fetch: server.fetch }),
    ),
    Layer.provide(Layer.succeed(LocalStore, store)),
    Layer.provide(Layer.succeed(HostSignals, HostSignals.alwaysOnline)),
    Layer.provide(Layer.succeed(EngineConfig, config)),
    Layer.provide(Layer.succeed(Clock.Clock, time.clock)),
  )
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  const engine = await Effect.runPromise(Effect.provideContext(Engine, context))
  for (let index = 0; index < leasedCount; index += 1)
    await Effect.runPromise(
      Scope.provide(engine.acquire({ node: "companies", bindings: { id: companyId(index) } }), scope),
    )
  return {
    time,
    server,
    stored,
    keys: Array.from({ length: companies }, (_, index) => `company-${companyId(index)}`),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  }
}

/** Milliseconds until a change must be in the store, by class: the bounds stated in `adapters/electric/slots.ts`, and the answer's way. */
const bounds = (companies: number) => {
  const within = (lanes: number): number =>
    (Math.ceil((2 * lanes) / config.maxConnections) + 1) * config.liveSliceMillis + 2 * latencyMillis
  return { leased: within(leasedCount), background: within(companies + 1 - leasedCount) }
}

const spreadOf = (values: ReadonlyArray<number>): number => Math.max(...values) / Math.min(...values)

/** Changes come in for four rotations of the background; each must reach the store in time. */
const rotate = async ({ keys, server, stored, time }: Story, log: SuiteOptions["log"]) => {
  const bound = bounds(keys.length)
  const from = server.sent.length
  const pending = new Map<string, { readonly version: number; readonly at: number }>()
  const waits = { leased: [0], background: [0] }
  const collect = (): void => {
    for (const [key, change] of pending) {
      const seen = stored.get(key)
      if (seen === undefined || seen.version < change.version) continue
      waits[keys.indexOf(key) < leasedCount ? "leased" : "background"].push(seen.at - change.at)
      pending.delete(key)
    }
  }
  const end = time.now + 4 * bound.background
  for (let turn = 0; time.now < end; turn += 1) {
    // Every fifth change is a leased instance's; the others walk through the rest in large, even steps.
    const index =
      turn % 5 === 0 ? (turn / 5) % leasedCount : leasedCount + ((turn * 389) % (keys.length - leasedCount))
    const key = keys[index] ?? ""
    if (!pending.has(key)) {
      server.change(key)
      pending.set(key, { version: server.version(key), at: time.now })
    }
    await time.run(500)
    collect()
  }
  const window = server.sent.slice(from).filter(({ live }) => live)
  await time.run(2 * bound.background, () => (collect(), pending.size === 0))
  const counts = new Map<string, number>(keys.slice(leasedCount).map((key) => [key, 0]))
  for (const { key } of window) if (counts.has(key)) counts.set(key, (counts.get(key) ?? 0) + 1)
  const worst = { leased: Math.max(...waits.leased), background: Math.max(...waits.background) }
  log(
    `  ${waits.leased.length + waits.background.length - 2} changes; worst wait leased ${worst.leased} of ${bound.leased} ms, background ${worst.background} of ${bound.background} ms; ${pending.size} never came`,
  )
  return {
    fairness: spreadOf([...counts.values()]),
    leased: pending.size > 0 ? Infinity : worst.leased / bound.leased,
    background: pending.size > 0 ? Infinity : worst.background / bound.background,
  }
}

/** Most requests within any second, and when that second ended. */
const busiestSecond = (times: ReadonlyArray<number>): { readonly most: number; readonly at: number } => {
  let busiest = { most: 0, at: 0 }
  let from = 0
  for (const [index, at] of times.entries()) {
    while (at - (times[from] ?? at) >= 1_000) from += 1
    if (index - from + 1 > busiest.most) busiest = { most: index - from + 1, at }
  }
  return busiest
}

/** The server restarts, and every row changes meanwhile; recovered is who holds the new one. */
const storm = async ({ keys, server, stored, time }: Story, log: SuiteOptions["log"]) => {
  const fell = server.sent.length
  server.fall()
  await time.run(refusedMillis)
  for (const key of keys) server.change(key)
  server.mode = { _tag: "Busy", retryAfterSeconds }
  await time.run(busyMillis)
  const lastRefused = server.sent.at(-1)?.at ?? time.now
  server.mode = { _tag: "Answers" }
  const back = time.now
  const behind = (key: string): boolean => (stored.get(key)?.version ?? 0) < server.version(key)
  let left: ReadonlyArray<string> = keys
  const recovered = await time.run(600_000, () => {
    left = left.filter(behind)
    return left.length === 0
  })
  const floor = Math.max(0, lastRefused + retryAfterSeconds * 1_000 - back)
  const byConnections = (keys.length * latencyMillis) / config.maxConnections
  const byBudget = (keys.length / config.recoveryRequestsPerSecond) * 1_000
  const ideal = floor + Math.max(byConnections, byBudget)
  const took = recovered ? time.now - back : Infinity
  const at = (key: string): number => stored.get(key)?.at ?? Infinity
  const lastLeased = Math.max(...keys.slice(0, leasedCount).map(at))
  const earlier = keys.slice(leasedCount).filter((key) => at(key) < lastLeased).length
  const peak = busiestSecond(server.sent.slice(fell).map((request) => request.at))
  log(
    `  ideal ${ideal} ms: ${floor} ms of patience, then ${keys.length} requests at ${config.recoveryRequestsPerSecond}/s (${config.maxConnections} connections alone would need ${byConnections} ms)`,
  )
  log(
    `  took ${took} ms, ${left.length} left behind; busiest second ${peak.most} requests, until ${peak.at - back} ms after the return; ${earlier} in the background before the last leased one`,
  )
  return { peak: peak.most / config.recoveryRequestsPerSecond, recovery: took / ideal, earlier }
}

const ids = [
  "slots.max-open",
  "fairness.max-min-ratio",
  "staleness.leased-vs-bound",
  "staleness.background-vs-bound",
  "storm.peak-vs-budget",
  "storm.recovery-vs-ideal",
  "storm.background-before-leased",
]

export const measureLive = async (options: SuiteOptions): Promise<ReadonlyArray<Measure>> => {
  if (!ids.some((id) => options.wants(id))) return []
  const story = await begin((options.quick ? 200 : 1_000) - 1)
  const live = await story.time.run(600_000, () => story.stored.size === story.keys.length + 1)
  if (!live) throw new Error(`only ${story.stored.size} instances became live`)
  options.log(`  ${story.stored.size} instances live, at most ${story.server.maxOpen} requests open`)
  await story.time.run(5_000)
  const rotation = await rotate(story, options.log)
  const after = await storm(story, options.log)
  await story.close()
  return [
    measureOf("slots.max-open", [story.server.maxOpen], "requests", atMost(config.maxConnections)),
    measureOf("fairness.max-min-ratio", [rotation.fairness], "x", atMost(2)),
    measureOf("staleness.leased-vs-bound", [rotation.leased], "of bound", atMost(1)),
    measureOf("staleness.background-vs-bound", [rotation.background], "of bound", atMost(1)),
    measureOf("storm.peak-vs-budget", [after.peak], "of budget", atMost(1)),
    measureOf("storm.recovery-vs-ideal", [after.recovery], "x ideal", atMost(2)),
    measureOf("storm.background-before-leased", [after.earlier], "instances", atMost(2 * leasedCount)),
  ].filter(({ id }) => options.wants(id))
}
