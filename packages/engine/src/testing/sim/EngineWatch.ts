/**
 * The invariants of the engine as its server, its store and a reader of its status see it: runs, requests, retries, and what may
 * commit after a gap. Reads only; told by the source, the store's guard and the simulator.
 */
import * as Effect from "effect/Effect"
import type { Engine } from "../../Engine.ts"
import type { InstanceCommit } from "../../ports/LocalStore.ts"
import type { Batch } from "../../ports/ShapeSource.ts"
import { ownershipOf } from "../../graph/SyncGraph.ts"
import type { GraphData } from "../../graph/Graph.ts"
import type { Checkpoint } from "../../protocol/Checkpoint.ts"
import type { Instance, InstanceKey } from "../../protocol/Shape.ts"
import type { ShapeErrorReason } from "../../protocol/ShapeError.ts"
import type { ShapeRequest } from "../model/answers.ts"
import type { SourceObserver } from "../model/ModelSource.ts"
import type { InstanceWatch } from "./StoreWatch.ts"
import type { Report } from "./violations.ts"

/** What the engine's own policy promises at least; not read from it, so that a changed policy is noticed. */
const leastBackoffMillis = 100
/** How offsets inside a snapshot begin. */
const inSnapshot = "0_"

interface Failure {
  readonly at: number
  readonly floorMillis: number
}

export interface EngineWatchOptions {
  readonly graph: GraphData
  readonly stores: InstanceWatch
  readonly report: Report
  readonly now: () => number
  readonly log: (line: string) => void
  readonly maxConnections: number
  /** Instances the server's rows demand now. */
  readonly demanded: () => ReadonlyArray<Instance>
  /** Whether the engine still desires an instance. */
  readonly isDesired: (key: InstanceKey) => boolean
}

export class EngineWatch implements SourceObserver {
  readonly #options: EngineWatchOptions
  readonly #running = new Map<InstanceKey, number>()
  /** Instances that ever ran here. */
  readonly #seen = new Map<InstanceKey, Instance>()
  readonly #failures = new Map<InstanceKey, Failure>()
  /** What each instance was given last. */
  readonly #delivered = new Map<InstanceKey, Batch>()
  /**
   * Since the last gap: instances whose up-to-date the engine took in, by a commit or (when it brought nothing new, decision 002) without
   * one. A mere delivery is none.
   */
  readonly #current = new Set<InstanceKey>()
  /** Since the last gap: instances that were given an up-to-date that says what is stored already. */
  readonly #idle = new Set<InstanceKey>()
  #open = 0
  batches = 0

  constructor(options: EngineWatchOptions) {
    this.#options = options
  }

  get running(): ReadonlyArray<InstanceKey> {
    return [...this.#running.keys()]
  }

  get openRequests(): number {
    return this.#open
  }

  readonly started = (instance: Instance, resume: Checkpoint | null): void => {
    const { key } = instance
    const count = (this.#running.get(key) ?? 0) + 1
    this.#running.set(key, count)
    this.#seen.set(key, instance)
    this.#options.log(
      `run ${key} from ${resume === null ? "the start" : `${resume.handle} ${resume.offset}`}`,
    )
    if (count > 1) this.#options.report("one-run-per-instance", `${key} has ${count} runs`)
  }

  readonly ended = (key: InstanceKey): void => {
    const count = (this.#running.get(key) ?? 0) - 1
    if (count > 0) this.#running.set(key, count)
    else this.#running.delete(key)
    this.#options.log(`end ${key}`)
  }

  readonly asked = ({ instance, live, offset }: ShapeRequest): void => {
    const { log, now, report } = this.#options
    log(`ask ${instance.key} ${offset}${live ? " live" : ""}`)
    const failure = this.#failures.get(instance.key)
    if (failure === undefined) return
    const waited = now() - failure.at
    this.#failures.delete(instance.key)
    if (waited < failure.floorMillis)
      report("retry-floor", `${instance.key} asks again after ${waited} ms, not ${failure.floorMillis}`)
  }

  readonly failed = (key: InstanceKey, reason: ShapeErrorReason): void => {
    this.#options.log(`fail ${key} ${reason._tag}`)
    const floorMillis = floorOf(reason)
    if (floorMillis > 0) this.#failures.set(key, { at: this.#options.now(), floorMillis })
  }

  readonly delivered = (key: InstanceKey, batch: Batch): void => {
    const { checkpoint, messages, upToDate } = batch
    this.batches++
    this.#delivered.set(key, batch)
    this.#options.log(
      `got ${key} ${checkpoint.handle} ${checkpoint.offset} ${messages.length}${upToDate ? " up to date" : ""}`,
    )
    const stored = this.#options.stores.known.get(key)?.stored
    const isStored = stored?.complete === true && isSame(stored.checkpoint, checkpoint)
    if (upToDate && isStored && messages.length === 0) this.#idle.add(key)
  }

  readonly acknowledged = (key: InstanceKey, { upToDate }: Batch): void => {
    if (upToDate) this.#current.add(key)
  }

  /** Counts a request from its beginning to its end in any way. */
  readonly counted = <A, E>(request: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        this.#open++
        const { maxConnections, report } = this.#options
        if (this.#open > maxConnections)
          report("connection-budget", `${this.#open} requests of ${maxConnections} are open`)
      }),
      () => request,
      () =>
        Effect.sync(() => {
          this.#open--
        }),
    )

  /** A person or a new engine asks: floors do not bind them. */
  forgetFailures(except?: (key: InstanceKey) => boolean): void {
    for (const key of [...this.#failures.keys()]) if (except?.(key) !== true) this.#failures.delete(key)
  }

  /** A restart, or the end of a pause: nothing is known to be current. */
  gap(): void {
    this.#current.clear()
    this.#idle.clear()
  }

  readonly beforeCommit = (shares: ReadonlyArray<InstanceCommit>): Effect.Effect<void> =>
    Effect.sync(() => {
      for (const share of shares) {
        this.#checkApplyPoint(share)
        if (!this.#current.has(share.instance.key)) this.#checkGap(share.instance)
      }
    })

  /** Called with the shares that went through. */
  noteCommitted(shares: ReadonlyArray<InstanceCommit>): void {
    for (const { instance, upToDate } of shares) if (upToDate) this.#current.add(instance.key)
  }

  /** Rows become readable at an end the server called up to date, or as a part of the first snapshot. */
  #checkApplyPoint({ checkpoint, instance: { key }, mode, upToDate }: InstanceCommit): void {
    if (mode === "stage") return
    const last = this.#delivered.get(key)
    const isEnd = last?.upToDate === true && isSame(last.checkpoint, checkpoint)
    const isFirst = mode === "append" && this.#options.stores.known.get(key)?.stored.complete !== true
    const isPart = isFirst && !upToDate && checkpoint.offset.startsWith(inSnapshot)
    if (isEnd || isPart) return
    const message = `${key} makes ${checkpoint.handle} ${checkpoint.offset} readable before its up-to-date`
    this.#options.report("log-waits", message)
  }

  #checkGap(instance: Instance): void {
    const { graph, report, stores } = this.#options
    const { owner } = ownershipOf(graph, instance.node)
    if (owner === null) return
    if (!this.#isAnchored(instance, 0))
      report("ancestors-first", `${instance.key} commits before its ancestors`)
    for (const { stored } of stores.known.values()) {
      const node = graph.nodes[stored.node]
      if (stored.key === instance.key || node?.sync !== "always" || stores.isDemanded(stored)) continue
      const desired = [...this.#seen.values()].filter(({ key }) => this.#options.isDesired(key))
      const owners = [...this.#options.demanded(), ...desired].filter(({ node: id }) => id === node.owner)
      const settled = ({ key }: Instance): boolean =>
        this.#current.has(key) && stores.known.get(key)?.stored.complete === true
      if (owners.length > 0 && owners.every(settled))
        report("revoked-goes-first", `${instance.key} commits while the revoked ${stored.key} is readable`)
    }
  }

  /** Some chain of owners up to a root is current, each holding rows that demand the next. */
  #isAnchored({ bindings, node }: Pick<Instance, "bindings" | "node">, depth: number): boolean {
    const { graph, stores } = this.#options
    const { owner } = ownershipOf(graph, node)
    if (owner === null || depth > 32) return true
    const wanted = JSON.stringify(bindings)
    return [...stores.known.values()].some(
      ({ stored }) =>
        stored.node === owner &&
        (this.#current.has(stored.key) || this.#idle.has(stored.key)) &&
        stores.demands(stored.key, node).some((values) => JSON.stringify(values) === wanted) &&
        this.#isAnchored(stored, depth + 1),
    )
  }

  /** What must hold whenever nothing can run. */
  readonly check = (engine: Engine["Service"], isPaused: boolean): Effect.Effect<void> =>
    Effect.gen({ self: this }, function* () {
      const { report, stores } = this.#options
      for (const key of this.#running.keys()) {
        const { status } = yield* engine.explain(key)
        if (status === null) report("runs-only-desired", `${key} runs and is not known`)
        else if (isPaused && status.pauseReasons.length > 0)
          report("runs-only-desired", `${key} runs while paused (${status.pauseReasons.join(", ")})`)
      }
      for (const { stored } of stores.known.values()) {
        const { status } = yield* engine.explain(stored.key)
        if (status?.state !== "Live") continue
        const { checkpoint } = stored
        if (!this.#current.has(stored.key))
          report("status-honest", `${stored.key} is Live although it took in no up-to-date since the gap`)
        else if (status.lastUpToDateAt === null || checkpoint === null || !stored.complete)
          report("status-honest", `${stored.key} is Live without a committed up-to-date`)
        else if (checkpoint.handle !== status.handle || checkpoint.offset !== status.offset)
          report(
            "status-honest",
            `${stored.key} says ${status.handle} ${status.offset}, stored is ${checkpoint.offset}`,
          )
      }
    })
}

const isSame = (left: Checkpoint | null, right: Checkpoint): boolean =>
  left?.handle === right.handle && left.offset === right.offset

const floorOf = (reason: ShapeErrorReason): number => {
  switch (reason._tag) {
    case "Overloaded":
      return Math.max(leastBackoffMillis, reason.retryAfterMillis ?? 0)
    case "ProtocolViolation":
      return leastBackoffMillis
    default:
      return 0
  }
}
