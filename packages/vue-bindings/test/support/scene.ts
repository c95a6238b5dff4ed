/**
 * A scripted engine that has something to say in every view of the panel: states of all kinds, a journal, requests, rows, storage.
 * All of it follows from numbers, so two runs show the same. Shared by the browser tests and the load measurement.
 */
import type {
  EngineStatus,
  InstanceStatus,
  JournalEntry,
  RequestEntry,
  StateName,
} from "@espalier/engine/protocol"
import type { StorageStatus } from "@espalier/worker"
import { graph } from "../../examples/graph.ts"
import { instance, statusOf, type FakeEngineClient } from "./FakeEngineClient.ts"

const uuid = (n: number): string => `20000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** States an instance goes through, in a circle; `tick` turns it. */
const circle: ReadonlyArray<StateName> = [
  "Live",
  "Syncing",
  "Live",
  "Backoff",
  "Pending",
  "Initial",
  "Refetching",
]

/** The state of the n-th of many instances after so many ticks. */
export const stateOf = (n: number, tick: number): StateName => circle[(n + tick) % circle.length] ?? "Live"

/** So many companies, all of them in motion. */
export const busyStatus = (count: number, tick: number): EngineStatus =>
  statusOf(
    graph,
    Array.from({ length: count }, (_, n) =>
      instance(graph, {
        key: `company-${uuid(n)}`,
        node: "companies",
        bindings: { id: uuid(n) },
        state: stateOf(n, tick),
        rows: n + tick,
        since: tick,
      }),
    ),
    { generation: tick + 1 },
  )

const some = (at: number): ReadonlyArray<InstanceStatus> => {
  const companies = Array.from({ length: 12 }, (_, n) =>
    instance(graph, {
      key: `company-${uuid(n)}`,
      node: "companies",
      bindings: { id: uuid(n) },
      state: n === 3 ? "Backoff" : n === 7 ? "Refetching" : "Live",
      since: at - 60_000 * (n + 1),
      slot: n < 3,
      demandedBy: ["user-1-memberships"],
    }),
  )
  return [
    instance(graph, { key: "user-1-memberships", node: "mine", rows: 12, slot: true, since: at - 900_000 }),
    ...companies,
    instance(graph, {
      key: `company-${uuid(1)}-members`,
      node: "members",
      bindings: { company_id: uuid(1) },
      rows: 48,
    }),
    instance(graph, {
      key: `company-${uuid(2)}-members`,
      node: "members",
      bindings: { company_id: uuid(2) },
      state: "Halted",
      error: { reason: "Forbidden", message: `403: the policy "members" denies company_id ${uuid(2)}` },
      since: at - 4_000,
    }),
    instance(graph, {
      key: `company-${uuid(1)}-workspaces`,
      node: "workspaces",
      bindings: { company_id: uuid(1) },
      state: "Backoff",
      attempt: 4,
      nextAttemptAt: at + 9_500,
      error: {
        reason: "Overloaded",
        message: "503: the snapshot queue is full; asked again after Retry-After 3",
      },
      since: at - 2_500,
      offset: "26854520_3",
    }),
    instance(graph, {
      key: `company-${uuid(1)}-folders`,
      node: "folders",
      bindings: { company_id: uuid(1) },
      state: "Paused",
      desired: false,
      rows: 310,
      since: at - 30_000,
    }),
  ]
}

const journalOf = (at: number): ReadonlyArray<JournalEntry> => {
  const steps: ReadonlyArray<readonly [event: string, detail: string]> = [
    ["desired", "user-1-memberships"],
    ["state", "Pending → Initial on Admitted"],
    ["start", "Initial"],
    ["state", "Initial → Syncing on Accepted"],
    ["commit", "snapshot, 24 messages, up to date, 24 rows held"],
    ["state", "Syncing → Live on UpToDate"],
  ]
  return Array.from({ length: 72 }, (_, n) => {
    const [event, detail] = steps[n % steps.length] ?? ["start", ""]
    return { seq: n, at: at - 90_000 + n * 1_200, key: `company-${uuid(Math.floor(n / 6))}`, event, detail }
  })
}

const requestsOf = (at: number): ReadonlyArray<RequestEntry> =>
  Array.from({ length: 96 }, (_, n): RequestEntry => {
    const startedAt = at - 50_000 + n * 480
    const phase = n < 12 ? "initial" : n < 24 ? "catch-up" : "live"
    const takes = phase === "live" ? 4_000 + (n % 5) * 900 : 90 + (n % 7) * 60
    const isOpen = startedAt + takes > at
    const failed = n % 17 === 9
    const status = failed ? null : n % 23 === 11 ? 409 : 200
    return {
      id: n,
      key: `company-${uuid(n % 12)}`,
      phase,
      url: `https://app.example/v1/shape?node=companies&b.id=${uuid(n % 12)}&offset=${n}_0`,
      startedAt,
      headersAt: failed || isOpen ? null : startedAt + takes * 0.8,
      endedAt: isOpen ? null : startedAt + takes,
      status: isOpen ? null : status,
      bytes: isOpen || failed ? 0 : 900 + n * 37,
      outcome: isOpen ? "open" : failed ? "failed" : "answered",
      failure: failed ? "Network: connection reset" : null,
    }
  })

const storage = (at: number): StorageStatus => ({
  backend: "idb",
  reason: "IndexedDB is there and works.",
  durability: "relaxed",
  persisted: true,
  usageBytes: 48 * 1024 * 1024,
  quotaBytes: 60 * 1024 * 1024,
  level: "warning",
  evictions: [
    {
      at: at - 40_000,
      key: `company-${uuid(9)}-folders`,
      rows: 1_204,
      reason: "kept, not desired; storage at 80 %",
    },
  ],
})

const answer = (sql: string): ReadonlyArray<object> => {
  const each = (value: (n: number) => number): object =>
    Object.fromEntries(Object.keys(graph.tables).map((table, n) => [table, value(n)]))
  if (sql.includes("pg_total_relation_size")) return [each((n) => 98_304 * (n + 1))]
  if (sql.includes("count(*)::int4")) return [each((n) => 120 * (n + 1))]
  const rows = Array.from({ length: 40 }, (_, n) => ({
    key: [uuid(n)],
    row: JSON.stringify({ id: uuid(n), name: `Company ${n}`, created_at: "2026-03-01T09:00:00+00:00" }),
  }))
  return rows
}

/** Fills a client with the scene as of a moment. */
export const playScene = (client: FakeEngineClient, at: number): void => {
  client.setPhase({ phase: "ready" })
  client.setStatus(statusOf(graph, some(at), { connections: { open: 4, max: 4, waiting: 2 } }))
  client.setJournal(journalOf(at))
  client.setRequests(requestsOf(at))
  client.setStorage(storage(at))
  client.setHolders((_table, [key]) => (key === uuid(5) ? [] : [`company-${key}`, "user-1-memberships"]))
  client.setInspect((sql) => {
    if (/^\s*delete/i.test(sql)) throw new Error("cannot execute DELETE in a read-only transaction")
    return {
      columns: ["id", "name", "members"],
      rows: Array.from({ length: 30 }, (_, n) => [uuid(n), `Company ${n}`, n * 3]),
      truncated: false,
    }
  })
  client.setExplanation(`company-${uuid(1)}-workspaces`, {
    key: `company-${uuid(1)}-workspaces`,
    desired: true,
    why: ["Its parent company is held.", "One component leases it."],
    waitingFor: "the server, which asked for patience",
    next: "It is asked again when the wait is over.",
    status: null,
    definition: {
      table: "workspaces",
      where: '"company_id" = $1',
      params: { "1": uuid(1) },
      columns: ["id", "company_id", "name"],
    },
    journal: [
      {
        seq: 900,
        at: at - 2_500,
        key: `company-${uuid(1)}-workspaces`,
        event: "failed",
        detail: "Overloaded: 503",
      },
    ],
  })
  client.answerWith(answer)
}
