/**
 * Everything the panel says, as pure functions: words, numbers, durations, grouping and filtering. Exists so
 * that what a developer in trouble reads is tested without a DOM. Knows nothing of Vue; never reads a clock.
 */
import type { GraphData } from "@espalier/engine/graph"
import type {
  EngineStatus,
  InstanceStatus,
  JournalEntry,
  PauseReason,
  Rollup,
  StateName,
} from "@espalier/engine/protocol"

/** How a state feels; colour follows from it, never alone (each state has its own shape and word). */
export type Tone = "good" | "busy" | "wait" | "warn" | "bad"

/** All states, in the order in which the panel counts them: what needs eyes first. */
export const stateOrder: ReadonlyArray<StateName> = [
  "Halted",
  "Backoff",
  "Refetching",
  "Initial",
  "Syncing",
  "Pending",
  "Paused",
  "Draining",
  "Live",
]

const tones: Readonly<Record<StateName, Tone>> = {
  Halted: "bad",
  Backoff: "warn",
  Refetching: "busy",
  Initial: "busy",
  Syncing: "busy",
  Pending: "wait",
  Paused: "wait",
  Draining: "wait",
  Live: "good",
}

const hints: Readonly<Record<StateName, string>> = {
  Halted: "Stopped. Waiting cannot clear this; retry once the cause is mended.",
  Backoff: "The last attempt failed; another one follows by itself.",
  Refetching: "Fetching anew beside the old rows, which stay readable until the swap.",
  Initial: "First request sent, no answer yet.",
  Syncing: "Catching up with the server.",
  Pending: "Wanted, not started: waits for its parent or for a free slot.",
  Paused: "Held; goes on where it stopped.",
  Draining: "Nobody asks for it any more; finishing the open commit.",
  Live: "Up to date and listening.",
}

export const stateTone = (state: StateName): Tone => tones[state]

/** One sentence that says what a state means. */
export const stateHint = (state: StateName): string => hints[state]

const rollups: Readonly<
  Record<Rollup, { readonly tone: Tone; readonly label: string; readonly hint: string }>
> = {
  idle: { tone: "wait", label: "Idle", hint: "Nothing is asked for." },
  loading: { tone: "busy", label: "Syncing", hint: "Rows are on their way." },
  live: { tone: "good", label: "Live", hint: "Everything is up to date." },
  stale: { tone: "warn", label: "Stale", hint: "Some rows may be older than the server's." },
  offline: { tone: "wait", label: "Offline", hint: "No connection. What is stored here stays readable." },
  blocked: { tone: "warn", label: "Blocked", hint: "Something has to happen before syncing can go on." },
  error: { tone: "bad", label: "Error", hint: "Part of the tree has stopped." },
}

export const rollupTone = (state: Rollup): Tone => rollups[state].tone
export const rollupLabel = (state: Rollup): string => rollups[state].label
export const rollupHint = (state: Rollup): string => rollups[state].hint

const reasons: Readonly<Record<PauseReason, string>> = {
  offline: "offline",
  hidden: "tab hidden",
  auth: "signing in again",
  manual: "paused by hand",
  storage: "storage nearly full",
}

export const pauseLabel = (reason: PauseReason): string => reasons[reason]

const uuid = /\b([0-9a-f]{4})[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8}([0-9a-f]{4})\b/gi

/**
 * A key that fits a narrow column: `company-2f1c…1a01-folders`. UUIDs keep both ends (seeded ones often
 * differ only in the last digits), so the telling suffix of the key stays visible.
 */
export const shortKey = (key: string): string => key.replace(uuid, "$1…$2")

/** `12,345` */
export const formatCount = (count: number): string => count.toLocaleString("en-US")

/** `1 row`, `12,345 rows` */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`

const units = ["B", "KB", "MB", "GB", "TB"] as const

/** `0 B`, `1.5 KB`, `12 MB`; powers of 1,024. */
export const formatBytes = (bytes: number): string => {
  let value = Math.max(0, bytes)
  let unit = 0
  // 1,023.6 KB would print as "1024 KB": step up as soon as rounding does.
  while (Math.round(value) >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 10 ? 0 : 1
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${units[unit]}`
}

/** `0 s`, `59 s`, `1 min 5 s`, `2 h 3 min`, `4 d 1 h`. Negative counts as zero. */
export const formatDuration = (millis: number): string => {
  const seconds = Math.max(0, Math.floor(millis / 1000))
  if (seconds < 60) return `${seconds} s`
  const pair = (large: number, word: string, small: number, smallWord: string): string =>
    small === 0 ? `${large} ${word}` : `${large} ${word} ${small} ${smallWord}`
  if (seconds < 3600) return pair(Math.floor(seconds / 60), "min", seconds % 60, "s")
  if (seconds < 86_400) return pair(Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "min")
  return pair(Math.floor(seconds / 86_400), "d", Math.floor((seconds % 86_400) / 3600), "h")
}

/** `just now`, `12 s ago` */
export const formatAgo = (at: number, now: number): string =>
  now - at < 1000 ? "just now" : `${formatDuration(now - at)} ago`

/** `in 12 s`, rounded up so that it never promises too early; `now` once due. */
export const formatCountdown = (at: number, now: number): string =>
  at <= now ? "now" : `in ${formatDuration(Math.ceil((at - now) / 1000) * 1000)}`

/** Local wall time with milliseconds, `09:05:03.042`. */
export const formatTime = (at: number): string => {
  const date = new Date(at)
  const pad = (value: number, width = 2): string => String(value).padStart(width, "0")
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`
}

/**
 * Every word of the filter occurs somewhere in what the panel shows of the instance; case does not matter.
 */
export const matchesFilter = (instance: InstanceStatus, filter: string): boolean => {
  const { key, node, table, state, error, bindings } = instance
  const text = [key, node, table, state, error?.reason, error?.message, ...Object.values(bindings)]
    .join(" ")
    .toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

/** The same for a line of the journal. */
export const matchesEntry = (entry: JournalEntry, filter: string): boolean => {
  const text = `${entry.key ?? ""} ${entry.event} ${entry.detail}`.toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

export interface StateCount {
  readonly state: StateName
  readonly count: number
}

/** How many instances are in each state; states nobody is in are left out. */
export const countStates = (instances: ReadonlyArray<InstanceStatus>): ReadonlyArray<StateCount> => {
  const counts = new Map<StateName, number>()
  for (const { state } of instances) counts.set(state, (counts.get(state) ?? 0) + 1)
  return stateOrder.flatMap((state) => {
    const count = counts.get(state)
    return count === undefined ? [] : [{ state, count }]
  })
}

export interface NodeGroup {
  readonly node: string
  readonly table: string
  /** Distance from the root, for indentation. */
  readonly depth: number
  readonly state: Rollup
  /** Instances that pass the filters, by key. */
  readonly instances: ReadonlyArray<InstanceStatus>
  /** All instances of the node. */
  readonly total: number
  readonly live: number
  readonly rows: number
}

/** Nodes in tree order: each parent before its children, siblings as declared. */
export const treeOrder = (
  graph: GraphData,
): ReadonlyArray<{ readonly node: string; readonly depth: number }> => {
  const ordered: Array<{ readonly node: string; readonly depth: number }> = []
  const visit = (parent: string | null, depth: number): void => {
    for (const node of Object.values(graph.nodes)) {
      if (node.parent !== parent) continue
      ordered.push({ node: node.id, depth })
      visit(node.id, depth + 1)
    }
  }
  visit(null, 0)
  return ordered
}

const byKey = new Intl.Collator("en", { numeric: true })

/** Nodes with the instances that pass `keep`, in tree order. */
export const groupInstances = (
  graph: GraphData,
  status: EngineStatus | null,
  keep: (instance: InstanceStatus) => boolean,
): ReadonlyArray<NodeGroup> => {
  const byNode = new Map<string, Array<InstanceStatus>>()
  for (const instance of Object.values(status?.instances ?? {})) {
    const own = byNode.get(instance.node)
    if (own === undefined) byNode.set(instance.node, [instance])
    else own.push(instance)
  }
  return treeOrder(graph).map(({ node, depth }) => {
    const all = byNode.get(node) ?? []
    const summary = status?.nodes[node]
    return {
      node,
      depth,
      table: graph.nodes[node]?.table ?? node,
      state: summary?.state ?? "idle",
      instances: all.filter(keep).sort((a, b) => byKey.compare(a.key, b.key)),
      total: all.length,
      live: all.filter((one) => one.state === "Live").length,
      rows: all.reduce((sum, one) => sum + one.rows, 0),
    }
  })
}

export interface DefinitionView {
  readonly table: string
  readonly where: string
  readonly params: ReadonlyArray<readonly [name: string, value: string]>
  readonly columns: ReadonlyArray<string>
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null

/** Reads a shape definition as `explain` gives it; null when it is none. */
export const viewDefinition = (definition: unknown): DefinitionView | null => {
  if (!isRecord(definition) || typeof definition["table"] !== "string") return null
  const { where, params, columns } = definition
  const entries = isRecord(params) ? Object.entries(params) : []
  return {
    table: definition["table"],
    where: typeof where === "string" && where !== "" ? where : "all rows",
    params: entries.map(([name, value]) => [`$${name}`, String(value)] as const),
    columns: Array.isArray(columns) ? columns.map(String) : [],
  }
}
