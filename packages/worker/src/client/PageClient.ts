/**
 * The workings of the page half: this tab's worker, its Web Lock, PGliteWorker, and the link to the leader,
 * tied together. Plain TypeScript without an Effect runtime, because every kilobyte here delays the page
 * (design §8). Made by `createEngineClient` only.
 */
import { live } from "@electric-sql/pglite/live"
import { PGliteWorker } from "@electric-sql/pglite/worker"
import type { EngineStatus } from "@espalier/engine/protocol"
import type {
  CommitNotice,
  EngineCalls,
  HostPhase,
  HostSettings,
  InspectResult,
  LeaseRequest,
  StorageStatus,
} from "../contract.ts"
import { electionId, fingerprint, openBroadcastChannel, tabLock, type HostMeta } from "../protocol.ts"
import { boundedQuery, boundedRead, type BoundedQueryOptions } from "./boundedQuery.ts"
import { ClientClosed, HostFailed, UnknownNode } from "./errors.ts"
import type { BrowserEngineClient, EngineClientSettings } from "./EngineClient.ts"
import { inspectDatabase } from "./inspectDatabase.ts"
import { LeaderLink } from "./LeaderLink.ts"
import { describeWorkerFailure } from "./workerFailure.ts"
import { WorkerGate } from "./WorkerGate.ts"

const defaultStartTimeoutMillis = 60_000
const defaultCallTimeoutMillis = 30_000
const defaultQueryTimeoutMillis = 30_000

const noLocks =
  "Web Locks are missing. They need a secure context: serve the page by https, or from localhost."

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Not `randomUUID`: that is missing in an insecure context, which has to end in the phase `failed`, not in a throw. */
const makeTabId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  )

/** Only a page may ask. The answer is read by the leader, which shows it in its storage status. */
const requestPersistence = (): Promise<unknown> =>
  navigator.storage?.persist === undefined
    ? Promise.resolve()
    : navigator.storage.persist().catch(() => undefined)

const toHostSettings = (settings: EngineClientSettings): HostSettings => ({
  name: settings.name,
  dataDir: settings.dataDir,
  // Through JSON: a graph made by a reactive framework may be a proxy, which cannot be cloned to a worker.
  graph: JSON.parse(JSON.stringify(settings.graph)),
  params: { ...settings.params },
  source: { ...settings.source },
  ...(settings.config === undefined ? {} : { config: { ...settings.config } }),
})

/**
 * One page's client. Its methods need their receiver; `createEngineClient` hands out a plain object instead.
 */
export class PageClient implements BrowserEngineClient {
  readonly graph: HostSettings["graph"]
  readonly pg: Promise<PGliteWorker>
  readonly #host: HostSettings
  readonly #tabId = makeTabId()
  readonly #link: LeaderLink
  readonly #closed = new AbortController()
  readonly #queryTimeoutMillis: number
  readonly #workerUrl: string
  readonly #requestPersistence: boolean
  #gate: WorkerGate | null = null
  #releaseLock: () => void = () => undefined

  constructor(settings: EngineClientSettings) {
    this.#host = toHostSettings(settings)
    this.graph = settings.graph
    this.#workerUrl = new URL(settings.workerUrl, globalThis.location?.href).href
    this.#requestPersistence = settings.requestPersistence ?? true
    this.#queryTimeoutMillis = settings.queryTimeoutMillis ?? defaultQueryTimeoutMillis
    this.#link = new LeaderLink({
      name: settings.name,
      tabId: this.#tabId,
      fingerprint: fingerprint(this.#host),
      params: this.#host.params,
      tables: Object.keys(settings.graph.tables),
      visible: document.visibilityState !== "hidden",
      open: openBroadcastChannel,
      startTimeoutMillis: settings.startTimeoutMillis ?? defaultStartTimeoutMillis,
      callTimeoutMillis: settings.callTimeoutMillis ?? defaultCallTimeoutMillis,
    })
    this.pg = this.#start()
    // A page that never reads `pg` learns of the failure by the phase; without this it would be an unhandled
    // rejection as well.
    this.pg.catch(() => undefined)
  }

  get #bounds(): BoundedQueryOptions {
    return {
      ready: () => this.#whenReady({ final: false }).then(() => this.pg),
      timeoutMillis: this.#queryTimeoutMillis,
      signal: this.#closed.signal,
    }
  }

  get status(): EngineStatus | null {
    return this.#link.status
  }

  get params(): HostSettings["params"] {
    return this.#link.params.values
  }

  get phase(): HostPhase {
    return this.#link.phase
  }

  get storage(): StorageStatus | null {
    return this.#link.storage
  }

  get isLeader(): boolean {
    return this.#link.isLeader
  }

  onStatus(listener: (status: EngineStatus) => void): () => void {
    return this.#link.statuses.add(listener)
  }

  onPhase(listener: (phase: HostPhase) => void): () => void {
    return this.#link.phases.add(listener)
  }

  onStorage(listener: (storage: StorageStatus) => void): () => void {
    return this.#link.storages.add(listener)
  }

  onParams(listener: (params: HostSettings["params"]) => void): () => void {
    return this.#link.params.changes.add(listener)
  }

  onCommit(listener: (notice: CommitNotice) => void): () => void {
    return this.#link.commits.add(listener)
  }

  query<Row = Record<string, unknown>>(
    sql: string,
    params: ReadonlyArray<unknown> = [],
  ): Promise<ReadonlyArray<Row>> {
    return boundedQuery<Row>(sql, params, this.#bounds)
  }

  inspect(sql: string): Promise<InspectResult> {
    return boundedRead(sql, (pg) => inspectDatabase(pg, sql), this.#bounds)
  }

  acquire(lease: LeaseRequest): { readonly release: () => void } {
    if (!Object.hasOwn(this.graph.nodes, lease.node)) {
      throw new UnknownNode(lease.node, Object.keys(this.graph.nodes))
    }
    return this.#link.acquire({
      node: lease.node,
      ...(lease.bindings === undefined ? {} : { bindings: { ...lease.bindings } }),
    })
  }

  async call<Name extends keyof EngineCalls>(
    name: Name,
    ...args: Parameters<EngineCalls[Name]>
  ): Promise<ReturnType<EngineCalls[Name]>> {
    return (await this.#link.call(name, args)) as ReturnType<EngineCalls[Name]>
  }

  setParams(params: HostSettings["params"]): Promise<boolean> {
    return this.call("setParams", { ...params })
  }

  close(): Promise<void> {
    if (this.#closed.signal.aborted) return Promise.resolve()
    this.#closed.abort(new ClientClosed())
    document.removeEventListener("visibilitychange", this.#onVisibility)
    this.#link.close()
    this.#releaseLock()
    // `pg` may be pending for ever when the start never got so far, so the worker is ended directly.
    this.#gate?.terminate()
    void this.pg.then(
      (pg) => pg.close(),
      () => undefined,
    )
    return Promise.resolve()
  }

  readonly #onVisibility = (): void => this.#link.setVisible(document.visibilityState !== "hidden")

  async #start(): Promise<PGliteWorker> {
    this.#link.phases.add(() => this.#onPhase())
    document.addEventListener("visibilitychange", this.#onVisibility)
    const gate = this.#makeGate()
    if (gate === null) throw this.#failure()
    const meta: HostMeta = { tabId: this.#tabId, settings: this.#host }
    const created = PGliteWorker.create(gate, {
      id: electionId(this.#host.name),
      dataDir: this.#host.dataDir,
      meta,
      extensions: { live },
    })
    // Read below; until then a rejection must not count as unhandled.
    created.catch(() => undefined)
    if (this.#requestPersistence) void requestPersistence()
    await this.#holdLock()
    this.#link.connect()
    await this.#whenReady({ final: true })
    gate.open()
    return created
  }

  /** The worker behind its gate, or null (and phase `failed`) when the browser refuses it. */
  #makeGate(): WorkerGate | null {
    if (navigator.locks === undefined) {
      this.#link.fail(noLocks)
      return null
    }
    try {
      this.#gate = new WorkerGate(this.#makeWorker())
      return this.#gate
    } catch (error) {
      this.#link.fail(`The browser refused to start the worker at ${this.#workerUrl}: ${textOf(error)}`)
      return null
    }
  }

  /** Listens to the worker's failures before anything else can happen to it. */
  #makeWorker(): Worker {
    const worker = new Worker(this.#workerUrl, { type: "module", name: `espalier:${this.#host.name}` })
    let hasSpoken = false
    worker.addEventListener("message", () => (hasSpoken = true), { once: true })
    worker.addEventListener("error", (event) => {
      // Once it has spoken, an uncaught error is a defect in some callback, not a failed start: the browser
      // prints it, the host goes on.
      if (!hasSpoken) void this.#failWorker(event instanceof ErrorEvent ? event.message : "")
    })
    worker.addEventListener("messageerror", () => {
      this.#link.fail("The worker sent a message that this page cannot read. Reload the page.")
    })
    return worker
  }

  async #failWorker(detail: string): Promise<void> {
    this.#link.fail(await describeWorkerFailure(this.#workerUrl, detail))
  }

  /** A start that failed for good ends this tab's worker, so that another tab's may lead. */
  #onPhase(): void {
    if (!this.#link.isFinal) return
    this.#releaseLock()
    this.#gate?.terminate()
  }

  #failure(): Error {
    const phase = this.#link.phase
    return phase.phase === "failed" ? new HostFailed(phase.message) : new ClientClosed()
  }

  #holdLock(): Promise<void> {
    return new Promise((resolve, reject) => {
      const held = new Promise<void>((release) => {
        this.#releaseLock = release
      })
      navigator.locks
        .request(tabLock(this.#host.name, this.#tabId), () => {
          resolve()
          return held
        })
        .catch((error: unknown) => {
          this.#link.fail(`The tab's Web Lock was refused: ${textOf(error)}`)
          reject(this.#failure())
        })
    })
  }

  /**
   * Resolves in phase `ready`; rejects with the failure in `failed` and `closed`. With `final`, a failure
   * that may still pass (a slow start, another tab's leader) is waited out.
   */
  #whenReady(options: { readonly final: boolean }): Promise<void> {
    return new Promise((resolve, reject) => {
      let stop: () => void = () => undefined
      const check = (phase: HostPhase): void => {
        if (phase.phase === "starting") return
        if (phase.phase === "failed" && options.final && !this.#link.isFinal) return
        stop()
        if (phase.phase === "ready") resolve()
        else reject(this.#failure())
      }
      stop = this.#link.phases.add(check)
      check(this.#link.phase)
    })
  }
}
