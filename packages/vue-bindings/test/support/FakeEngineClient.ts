/**
 * A scripted `EngineClient` for tests: holds status, phase, leases and queries in plain sight and does
 * nothing by itself. Exists so that tests assert the state of the world (rows shown, leases held, queries
 * open), not calls of mocks.
 */
import type { GraphData } from "@espalier/engine/graph"
import type {
  EngineStatus,
  Explanation,
  InstanceStatus,
  JournalEntry,
  RequestEntry,
} from "@espalier/engine/protocol"
import type {
  EngineCalls,
  EngineClient,
  HostPhase,
  InspectResult,
  LeaseRequest,
  StorageStatus,
} from "@espalier/worker"

export interface OpenQuery {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
  readonly resolve: (rows: ReadonlyArray<object>) => void
  readonly reject: (error: Error) => void
}

type Answer = (sql: string, params: ReadonlyArray<unknown>) => ReadonlyArray<object>

export interface FakeEngineClient extends EngineClient {
  /** Leases held now. */
  readonly leases: ReadonlyArray<LeaseRequest>
  /** Queries not answered yet; empty while `answer` is set. */
  readonly open: ReadonlyArray<OpenQuery>
  /** Number of queries ever made. */
  readonly asked: number
  /** Listeners attached now, of all kinds. */
  readonly listeners: number
  /** Commands received, oldest first. */
  readonly commands: ReadonlyArray<readonly [name: string, ...args: ReadonlyArray<unknown>]>
  /** Answers every query from now on (and the open ones) by itself; null: queries stay open. */
  readonly answerWith: (answer: Answer | null) => void
  readonly setStatus: (status: EngineStatus) => void
  /** A status that came from another thread and is a copy already. */
  readonly receive: (status: EngineStatus) => void
  readonly setPhase: (phase: HostPhase) => void
  readonly setLeader: (isLeader: boolean) => void
  readonly setStorage: (storage: StorageStatus) => void
  /** What the engine says to `setParams` from now on. */
  readonly refuseParams: () => void
  readonly commit: (...tables: ReadonlyArray<string>) => void
  readonly setJournal: (entries: ReadonlyArray<JournalEntry>) => void
  readonly setRequests: (entries: ReadonlyArray<RequestEntry>) => void
  readonly setInspect: (inspect: (sql: string) => InspectResult) => void
  /** Answers `holders` from now on. */
  readonly setHolders: (holders: EngineCalls["holders"]) => void
  readonly setExplanation: (key: string, explanation: Explanation) => void
}

interface Listeners<Value> {
  readonly size: () => number
  readonly add: (listener: (value: Value) => void) => () => void
  readonly tell: (value: Value) => void
}

const listenersOf = <Value>(): Listeners<Value> => {
  const all = new Set<(value: Value) => void>()
  return {
    size: () => all.size,
    add: (listener) => {
      const own = (value: Value): void => listener(value)
      all.add(own)
      return () => void all.delete(own)
    },
    tell: (value) => {
      for (const listener of [...all]) listener(value)
    },
  }
}

/** Status as it arrives from a worker: another object every time. */
const received = <Value>(value: Value): Value => structuredClone(value)

const makeQueries = () => {
  let answer: Answer | null = null
  let open: Array<OpenQuery> = []
  let asked = 0
  return {
    open: () => open,
    asked: () => asked,
    answerWith: (next: Answer | null): void => {
      answer = next
      if (next === null) return
      for (const query of open.splice(0)) query.resolve(next(query.sql, query.params))
    },
    query: async (sql: string, params: ReadonlyArray<unknown> = []): Promise<ReadonlyArray<object>> => {
      asked += 1
      // Rows of a real client are new objects with every result.
      if (answer !== null) return received(answer(sql, params))
      return new Promise((resolve, reject) => {
        const done = (): void => void (open = open.filter((one) => one !== entry))
        const entry: OpenQuery = {
          sql,
          params,
          resolve: (rows) => (done(), resolve(received(rows))),
          reject: (error) => (done(), reject(error)),
        }
        open.push(entry)
      })
    },
  }
}

export const makeFakeClient = (
  graph: GraphData,
  initialParams: Readonly<Record<string, string>> = { userId: "u1" },
): FakeEngineClient => {
  let params = initialParams
  let takesParams = true
  let storage: StorageStatus | null = null
  let status: EngineStatus | null = null
  let phase: HostPhase = { phase: "starting", step: "worker" }
  let isLeader = true
  let journal: ReadonlyArray<JournalEntry> = []
  let requests: ReadonlyArray<RequestEntry> = []
  let inspect = (_sql: string): InspectResult => ({ columns: [], rows: [], truncated: false })
  let holders: EngineCalls["holders"] = () => []
  const explanations = new Map<string, Explanation>()
  const leases: Array<LeaseRequest> = []
  const commands: Array<readonly [string, ...ReadonlyArray<unknown>]> = []
  const onStatus = listenersOf<EngineStatus>()
  const onPhase = listenersOf<HostPhase>()
  const onStorage = listenersOf<StorageStatus>()
  const onCommit = listenersOf<{ readonly tables: ReadonlyArray<string> }>()
  const onParams = listenersOf<Readonly<Record<string, string>>>()
  const queries = makeQueries()
  const setParams = (chosen: Readonly<Record<string, string>>): boolean => {
    if (!takesParams) return false
    params = { ...params, ...chosen }
    onParams.tell(params)
    return true
  }
  const answers: {
    [Name in keyof EngineCalls]: (...args: Parameters<EngineCalls[Name]>) => ReturnType<EngineCalls[Name]>
  } = {
    retry: (key) => status?.instances[key] !== undefined,
    refetch: (key) => status?.instances[key] !== undefined,
    pause: () => true,
    resume: () => true,
    explain: (key) =>
      explanations.get(key) ?? {
        key,
        desired: true,
        why: [`${key} is desired`],
        waitingFor: null,
        next: null,
        status: status?.instances[key] ?? null,
        definition: null,
        journal: journal.filter((entry) => entry.key === key),
      },
    holders: (table, primaryKey) => holders(table, primaryKey),
    evict: (key) => status?.instances[key]?.desired === false,
    flush: () => true,
    journal: () => journal,
    requests: () => requests,
    wipe: () => true,
    setCredentials: () => true,
    setParams,
  }
  return {
    graph,
    get params() {
      return params
    },
    get status() {
      return status
    },
    get phase() {
      return phase
    },
    get storage() {
      return storage
    },
    get isLeader() {
      return isLeader
    },
    get open() {
      return queries.open()
    },
    get asked() {
      return queries.asked()
    },
    get listeners() {
      return onStatus.size() + onPhase.size() + onCommit.size() + onParams.size() + onStorage.size()
    },
    leases,
    commands,
    onStatus: onStatus.add,
    onPhase: onPhase.add,
    onCommit: onCommit.add,
    onStorage: onStorage.add,
    onParams: onParams.add,
    query: async <Row>(sql: string, values?: ReadonlyArray<unknown>) =>
      (await queries.query(sql, values)) as ReadonlyArray<Row>,
    inspect: async (sql) => received(inspect(sql)),
    acquire: (lease) => {
      leases.push(lease)
      let held = true
      return {
        release: () => {
          if (held) leases.splice(leases.indexOf(lease), 1)
          held = false
        },
      }
    },
    call: async (name, ...args) => {
      // As the port to the worker does it: what cannot be cloned fails here, too.
      commands.push([name, ...structuredClone(args)])
      return received(answers[name](...args))
    },
    setParams: async (chosen) => {
      commands.push(["setParams", chosen])
      return received(setParams(chosen))
    },
    close: async () => {},
    answerWith: queries.answerWith,
    receive: (next) => {
      status = next
      onStatus.tell(next)
    },
    setStatus: (next) => {
      status = received(next)
      onStatus.tell(status)
    },
    setPhase: (next) => {
      phase = next
      onPhase.tell(next)
    },
    setLeader: (next) => {
      isLeader = next
      onCommit.tell({ tables: Object.keys(graph.tables) })
    },
    setStorage: (next) => {
      storage = received(next)
      onStorage.tell(storage)
    },
    refuseParams: () => void (takesParams = false),
    commit: (...tables) => onCommit.tell({ tables }),
    setJournal: (entries) => void (journal = entries),
    setRequests: (entries) => void (requests = entries),
    setInspect: (next) => void (inspect = next),
    setHolders: (next) => void (holders = next),
    setExplanation: (key, explanation) => void explanations.set(key, explanation),
  }
}

/** An instance that is live and holds rows; override what the test is about. */
export const instance = (
  graph: GraphData,
  over: Partial<InstanceStatus> & { readonly node: string; readonly key: string },
): InstanceStatus => ({
  table: graph.nodes[over.node]?.table ?? over.node,
  bindings: {},
  hash: "0f".repeat(16),
  state: "Live",
  since: 1_000,
  attempt: 0,
  nextAttemptAt: null,
  error: null,
  rows: 1,
  bytes: 100,
  requests: 2,
  handle: "h-1",
  offset: "0_0",
  lastUpToDateAt: 1_000,
  slot: false,
  leases: 0,
  demandedBy: [],
  pauseReasons: [],
  desired: true,
  ...over,
})

/** A status that rolls up the given instances roughly as the engine does. */
export const statusOf = (
  graph: GraphData,
  instances: ReadonlyArray<InstanceStatus>,
  over: Partial<EngineStatus> = {},
): EngineStatus => {
  const live = instances.every((one) => one.state === "Live")
  const nodes = Object.values(graph.nodes).map((node) => {
    const own = instances.filter((one) => one.node === node.id)
    const lives = own.filter((one) => one.state === "Live").length
    const error = own.find((one) => one.error !== null)?.error ?? null
    const state =
      own.length === 0 ? "idle" : error !== null ? "error" : lives === own.length ? "live" : "loading"
    const rows = own.reduce((sum, one) => sum + one.rows, 0)
    return [
      node.id,
      {
        node: node.id,
        table: node.table,
        state,
        instances: own.length,
        complete: own.length,
        live: lives,
        rows,
        error,
      },
    ] as const
  })
  return {
    graph: graph.name,
    state: instances.length === 0 ? "idle" : live ? "live" : "loading",
    nodes: Object.fromEntries(nodes),
    progress: { instances: 0, complete: 0, live: 0, rows: 0, bytes: 0, requests: 0 },
    instances: Object.fromEntries(instances.map((one) => [one.key, one])),
    connections: { open: 2, max: 4, waiting: 0 },
    pauseReasons: [],
    ready: true,
    generation: 1,
    ...over,
  }
}
