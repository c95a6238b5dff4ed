/**
 * Turns a seed into a plan: the world's settings, the server's first rows, and the events in order. Pure: the same graph, profile
 * and seed give the same plan on every machine.
 */
import type { GraphData } from "../../graph/Graph.ts"
import { ownershipOf, tableOf } from "../../graph/SyncGraph.ts"
import type { Fault } from "../model/faults.ts"
import type { Texts } from "../model/filters.ts"
import type { Write } from "../model/ModelDatabase.ts"
import { type Seeded, seeded } from "../random.ts"
import type { Plan, SimEvent } from "./events.ts"
import type { Profile } from "./profiles.ts"
import { Vocabulary } from "./vocabulary.ts"

/** Leases a run may hold at once. */
const leaseIds = 4

interface Making {
  readonly graph: GraphData
  readonly params: Texts
  readonly profile: Profile
  readonly random: Seeded
  readonly vocabulary: Vocabulary
  /** Rows that were written so far, and rows that were taken away to be given back. */
  readonly written: Array<Write>
  readonly taken: Array<Write>
}

/** The plan of a seed. */
export const generatePlan = (graph: GraphData, params: Texts, profile: Profile, seed: number): Plan => {
  const random = seeded(seed)
  const making: Making = {
    ...{ graph, params, profile },
    random: random.fork(),
    vocabulary: new Vocabulary(graph, params, random.between(2, 5)),
    written: [],
    taken: [],
  }
  const count = random.between(...profile.events)
  return {
    seed,
    ...settings(random.fork(), profile),
    rows: firstRows(making),
    events: Array.from({ length: count }, () => [nextEvent(making), ...pass(making.random)]).flat(),
  }
}

const settings = (random: Seeded, profile: Profile): Pick<Plan, "server" | "source" | "config"> => {
  const crowded = random.chance(0.25)
  return {
    server: {
      seed: random.below(1_000_000),
      latencyMillis: random.chance(0.2) ? [0, 0] : [0, random.between(1, profile.latencyMillis)],
      snapshotChunk: random.chance(0.5) ? 1_000 : random.between(1, 3),
      logChunk: random.chance(0.6) ? 1_000 : random.between(1, 4),
      moveMillis: random.chance(0.5) ? 0 : random.between(50, 2_000),
      missingLast: random.chance(0.5) ? 0 : random.pick([0.3, 1]),
      // Well within the grace a denial is given, so that a denial that stays is the engine's doing.
      ...(random.chance(0.5) ? {} : { gatewayLagMillis: random.between(0, 200) }),
    },
    source: { prefetch: random.chance(0.5), signals: random.chance(0.1) },
    config: {
      maxConnections: crowded ? random.between(2, 8) : 64,
      liveSliceMillis: random.between(300, 2_000),
      maxConcurrentSnapshots: random.between(1, 6),
      idleCommitMillis: random.pick([0, 5_000, 60_000]),
    },
  }
}

const firstRows = ({ random, vocabulary, written }: Making): ReadonlyArray<Write> => {
  const rows = written
  for (const table of vocabulary.tables) {
    for (let count = random.between(1, 6); count > 0; count--) rows.push(vocabulary.put(table, random))
  }
  return [...rows]
}

const pass = (random: Seeded): ReadonlyArray<SimEvent> => {
  if (random.chance(0.3)) return []
  const millis = random.chance(0.75) ? random.between(1, 400) : random.between(400, 3_000)
  return [{ _tag: "Advance", millis }]
}

/** A key by its weight. */
const weighted = <Weights extends Readonly<Record<string, number>>>(
  random: Seeded,
  weights: Weights,
): (keyof Weights & string) | null => {
  const keys: ReadonlyArray<keyof Weights & string> = Object.keys(weights)
  const weightOf = (key: string): number => weights[key] ?? 0
  let at = random.next() * keys.reduce((sum, key) => sum + weightOf(key), 0)
  for (const key of keys) {
    at -= weightOf(key)
    if (at < 0) return key
  }
  return keys[0] ?? null
}

const nextEvent = (making: Making): SimEvent => {
  const { random, vocabulary } = making
  switch (weighted(random, making.profile.weights)) {
    case "Begin":
      return { _tag: "Begin" }
    case "Fault":
      return faultEvent(making)
    case "Rotate":
      return random.chance(0.2)
        ? { _tag: "Rotate" }
        : { _tag: "Rotate", table: random.pick(vocabulary.tables) }
    case "SchemaChange": {
      const newerMillis = random.between(0, 3_000)
      return { _tag: "SchemaChange", table: random.pick(vocabulary.tables), newerMillis }
    }
    case "ServerRestart":
      return { _tag: "ServerRestart", downMillis: random.between(10, 8_000) }
    case "TokenExpired":
      return { _tag: "TokenExpired", forMillis: random.between(100, 4_000) }
    case "Lease":
      return leaseEvent(making)
    case "Unlease":
      return { _tag: "Unlease", id: random.below(leaseIds) }
    case "Pause":
      return { _tag: "Pause", reason: random.pick(["manual", "hidden", "auth", "storage"]) }
    case "Resume":
      return { _tag: "Resume", reason: random.pick(["manual", "hidden", "auth", "storage"]) }
    case "Host":
      return { _tag: "Host", online: random.chance(0.6), visible: random.chance(0.6) }
    case "Retry":
      return { _tag: "Retry", index: random.below(30) }
    case "Refetch":
      return { _tag: "Refetch", index: random.below(30) }
    case "Kill":
      return { _tag: "Kill", atWrite: random.between(1, 5), moment: random.pick(["before", "after"]) }
    case "StoreFault":
      return storeFault(random)
    case "HandOver": {
      const params = random.chance(0.5) ? otherParams(making) : null
      return { _tag: "HandOver", ...(params === null ? {} : { params }) }
    }
    case "Params": {
      const params = otherParams(making)
      return params === null ? commitEvent(making) : { _tag: "Params", params }
    }
    case "ClockJump":
      return { _tag: "ClockJump", millis: random.pick([5_000, 60_000, 28_800_000]) }
    case "Wipe":
      return { _tag: "Wipe" }
    default:
      return commitEvent(making)
  }
}

/** A value for one of the client's parameters; null when the graph has none that its filters read. */
const otherParams = ({ graph, random, vocabulary }: Making): Texts | null => {
  const [first, ...rest] = Object.keys(graph.params).filter((name) => graph.params[name]?.source === "client")
  if (first === undefined) return null
  const name = random.pick([first, ...rest])
  const value = vocabulary.paramValue(name, random)
  return value === null ? null : { [name]: value }
}

/** Takes a row that was written away, or gives one back that was taken: a revocation, or the same grant again. */
const grantEvent = ({ random, taken, vocabulary, written }: Making): SimEvent | null => {
  const back = taken.pop()
  if (back !== undefined) return { _tag: "Commit", writes: [back] }
  const [first, ...rest] = written
  if (first === undefined) return null
  const write = random.pick([first, ...rest])
  taken.push(write)
  return { _tag: "Commit", writes: [vocabulary.removal(write)] }
}

const commitEvent = (making: Making): SimEvent => {
  const { random, vocabulary } = making
  const grant = random.chance(0.15) ? grantEvent(making) : null
  if (grant !== null) return grant
  const count = random.chance(0.06) ? random.between(8, 24) : random.between(1, 4)
  const writes = Array.from({ length: count }, () => {
    const table = random.pick(vocabulary.tables)
    const dice = random.next()
    if (dice < 0.45) return vocabulary.put(table, random)
    return dice < 0.72 ? vocabulary.patch(table, random) : vocabulary.remove(table, random)
  })
  return { _tag: "Commit", writes, ...(random.chance(0.3) ? { late: true } : {}) }
}

const leaseEvent = ({ graph, random, vocabulary }: Making): SimEvent => {
  const nodes = Object.values(graph.nodes)
  const onDemand = nodes.filter(({ sync }) => sync === "onDemand")
  const [first, ...rest] = onDemand.length > 0 && random.chance(0.8) ? onDemand : nodes
  if (first === undefined) return { _tag: "Begin" }
  const node = random.pick([first, ...rest])
  const owner = ownershipOf(graph, node.id)
  const above = owner.owner === null ? undefined : tableOf(graph, graph.nodes[owner.owner]?.table ?? "")
  const bindings: Record<string, string> = {}
  for (const { binding, column } of random.chance(0.5) ? owner.bindings : []) {
    const value = above === undefined ? null : vocabulary.value(above.from, column, random)
    if (value !== null) bindings[binding] = value
  }
  return { _tag: "Lease", id: random.below(leaseIds), lease: { node: node.id, bindings } }
}

const faultEvent = ({ graph, profile, random }: Making): SimEvent => {
  const kind = weighted(random, profile.faults) ?? "slow"
  const [first = "", ...rest] = Object.keys(graph.nodes)
  return {
    _tag: "Fault",
    fault: faultOf(kind, random),
    share: random.pick([0.1, 0.3, 0.6, 1]),
    forMillis: random.between(50, 6_000),
    ...(random.chance(0.3) ? { node: random.pick([first, ...rest]) } : {}),
  }
}

const faultOf = (kind: Fault["kind"], random: Seeded): Fault => {
  if (kind === "slow") return { kind, millis: random.between(50, 3_000) }
  if (kind !== "status") return { kind }
  const status = random.pick([400, 401, 403, 429, 429, 500, 503, 503, 503] as const)
  const retryAfter = status === 429 || (status === 503 && random.chance(0.7))
  return { kind, status, ...(retryAfter ? { retryAfterMillis: random.between(1, 5) * 1_000 } : {}) }
}

const storeFault = (random: Seeded): SimEvent => ({
  _tag: "StoreFault",
  operation: random.pick(["commit", "commit", "commit", "collect", "discardStage", "read"]),
  kind: random.chance(0.8) ? "unavailable" : "quota",
  moment: random.pick(["before", "before", "after"]),
})
