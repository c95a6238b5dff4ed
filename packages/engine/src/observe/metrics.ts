/**
 * Every metric of the engine, in one file. Kept beside the engine, not inside it: the numbers come from its status and its
 * journal, so the worker's bundle carries none of this. Attributes are node ids and error reasons only, never instance keys,
 * whose number has no bound.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import { Engine } from "../Engine.ts"
import type { EngineStatus, JournalEntry } from "../protocol/InstanceStatus.ts"

/** Desired instances, by node. */
export const instances = Metric.gauge("espalier_instances", { description: "Desired instances, by node" })

/** Of these, those known to be current, by node. */
export const liveInstances = Metric.gauge("espalier_instances_live", {
  description: "Desired instances known to be current, by node",
})

/** Rows held by desired instances, by node; a row two instances hold counts twice. */
export const rows = Metric.gauge("espalier_rows", { description: "Rows held by desired instances, by node" })

/** Requests open now. */
export const connectionsOpen = Metric.gauge("espalier_connections_open", { description: "Requests open now" })

/** Requests that wait for a slot. */
export const connectionsWaiting = Metric.gauge("espalier_connections_waiting", {
  description: "Requests that wait for a slot",
})

/** Requests sent. */
export const requests = Metric.counter("espalier_requests_total", {
  description: "Requests sent",
  incremental: true,
})

/** Response bytes received. */
export const bytes = Metric.counter("espalier_received_bytes_total", {
  description: "Response bytes received",
  incremental: true,
})

/** Shares of commits that were accepted. */
export const commits = Metric.counter("espalier_commits_total", {
  description: "Shares committed to the local store",
  incremental: true,
})

/** Runs that failed, by reason. */
export const failures = Metric.counter("espalier_failures_total", {
  description: "Runs that failed, by reason",
  incremental: true,
})

/** Instances whose rows were dropped. */
export const collections = Metric.counter("espalier_collections_total", {
  description: "Instances collected",
  incremental: true,
})

/** Journal lines that were overwritten before they could be counted; above 0 the counters above are too low. */
export const missed = Metric.counter("espalier_journal_missed_total", {
  description: "Journal lines overwritten before they were counted",
  incremental: true,
})

interface Seen {
  requests: number
  bytes: number
  /** Sequence number of the next journal line to count. */
  seq: number
}

const update = Effect.fnUntraced(function* (
  seen: Seen,
  status: EngineStatus,
  journal: ReadonlyArray<JournalEntry>,
) {
  for (const node of Object.values(status.nodes)) {
    const at = { node: node.node }
    yield* Metric.update(Metric.withAttributes(instances, at), node.instances)
    yield* Metric.update(Metric.withAttributes(liveInstances, at), node.live)
    yield* Metric.update(Metric.withAttributes(rows, at), node.rows)
  }
  yield* Metric.update(connectionsOpen, status.connections.open)
  yield* Metric.update(connectionsWaiting, status.connections.waiting)
  yield* Metric.update(requests, status.progress.requests - seen.requests)
  yield* Metric.update(bytes, status.progress.bytes - seen.bytes)
  seen.requests = status.progress.requests
  seen.bytes = status.progress.bytes
  const [oldest] = journal
  if (oldest !== undefined && oldest.seq > seen.seq) yield* Metric.update(missed, oldest.seq - seen.seq)
  for (const entry of journal) {
    if (entry.seq < seen.seq) continue
    seen.seq = entry.seq + 1
    yield* countLine(entry)
  }
})

/** The journal spells a failure as `Reason: message`. */
const reasonOf = (detail: string): string => detail.slice(0, Math.max(0, detail.indexOf(":")))

const countLine = (entry: JournalEntry): Effect.Effect<void> => {
  switch (entry.event) {
    case "commit":
      return Metric.update(commits, 1)
    case "collected":
      return Metric.update(collections, 1)
    case "failed":
      return Metric.update(Metric.withAttributes(failures, { reason: reasonOf(entry.detail) }), 1)
    default:
      return Effect.void
  }
}

/** Keeps the metrics of a running engine up to date, at the pace of its status. */
export const layer: Layer.Layer<never, never, Engine> = Layer.effectDiscard(
  Effect.gen(function* () {
    const engine = yield* Engine
    const seen: Seen = { requests: 0, bytes: 0, seq: 0 }
    yield* engine.statusChanges.pipe(
      Stream.runForEach((status) =>
        Effect.flatMap(engine.journal, (journal) => update(seen, status, journal)),
      ),
      Effect.forkScoped,
    )
  }),
)
