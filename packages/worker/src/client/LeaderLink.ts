/**
 * One tab's side of the talk with the leader: who leads, phase, status, this tab's leases and calls. It knows
 * channels and timers only, no Worker and no database, so that its rules are tested without a browser. Used
 * by `EngineClient`.
 *
 * Invariants: a message of a leader that was succeeded is ignored; a new leader is told every lease and every
 * open call again; every call ends; a start without progress ends in `failed`; an own failure is final.
 */
import type { EngineStatus } from "@espalier/engine/protocol"
import type { CommitNotice, EngineCalls, HostPhase, LeaseRequest, StorageStatus } from "../contract.ts"
import {
  announcementChannel,
  leaderChannel,
  protocolVersion,
  tabChannel,
  type Announcement,
  type Answer,
  type Channel,
  type LeaderState,
  type OpenChannel,
  type TabMessage,
} from "../protocol.ts"
import { ClientClosed, HostFailed } from "./errors.ts"
import { FollowedParams } from "./FollowedParams.ts"
import { Latest, Listeners } from "./Listeners.ts"
import { PendingCalls } from "./PendingCalls.ts"

export interface LinkOptions {
  readonly name: string
  readonly tabId: string
  readonly fingerprint: string
  /** Values of the graph's parameters until a leader says otherwise. */
  readonly params: Readonly<Record<string, string>>
  /** Every local table, reported as changed after a change of leader. */
  readonly tables: ReadonlyArray<string>
  readonly visible: boolean
  readonly open: OpenChannel
  /** A start that makes no progress for this long becomes `failed`. */
  readonly startTimeoutMillis: number
  /** A call without an answer fails after this long. */
  readonly callTimeoutMillis: number
}

const versionMismatch =
  "Another open tab runs a different version of this app and holds the database. Close or reload the other tabs, then reload this one."

const fingerprintMismatch = (name: string): string =>
  `Another open tab uses the name "${name}" with a different graph, user, data directory or source. ` +
  "Give each user a name of their own, and close or reload the other tabs."

export class LeaderLink {
  readonly phases = new Listeners<HostPhase>()
  readonly statuses = new Latest<EngineStatus>()
  readonly storages = new Latest<StorageStatus>()
  readonly commits = new Listeners<CommitNotice>()
  readonly params: FollowedParams

  readonly #options: LinkOptions
  readonly #announcements: Channel<Announcement, never>
  readonly #answers: Channel<Answer, never>
  readonly #leader: Channel<never, TabMessage>
  readonly #leases = new Map<number, LeaseRequest>()
  readonly #calls: PendingCalls
  readonly #pastEpochs = new Set<string>()
  #nextLeaseId = 1
  #epoch: string | null = null
  #leaderTabId: string | null = null
  #phase: HostPhase = { phase: "starting", step: "worker" }
  #visible: boolean
  #connected = false
  /** This tab cannot use any leader any more. */
  #final = false
  /** The leader changed since this tab last saw one ready: commit notices may have been missed. */
  #missedCommits = false
  /** The leader that was lost had been paused by hand. */
  #wasPaused = false
  /** What this tab gave last, for the next leader: it lives nowhere else. */
  #credentials: unknown = null
  #startTimer: ReturnType<typeof setTimeout> | undefined

  constructor(options: LinkOptions) {
    this.#options = options
    this.#visible = options.visible
    this.params = new FollowedParams(options.params)
    this.#calls = new PendingCalls(options.callTimeoutMillis)
    this.#announcements = options.open(announcementChannel(options.name), (message: Announcement) =>
      this.#receive(message),
    )
    this.#answers = options.open(tabChannel(options.name, options.tabId), (message: Answer) =>
      this.#receive(message),
    )
    this.#leader = options.open(leaderChannel(options.name), () => undefined)
    this.#watchStart()
  }

  get phase(): HostPhase {
    return this.#phase
  }

  get status(): EngineStatus | null {
    return this.statuses.value
  }

  get storage(): StorageStatus | null {
    return this.storages.value
  }

  /** True while the worker of this tab leads. */
  get isLeader(): boolean {
    return this.#leaderTabId === this.#options.tabId && this.#phase.phase !== "closed"
  }

  /**
   * Greets the leader. Call once this tab holds its lock: a leader that cannot see the lock would end the
   * leases at once.
   */
  connect(): void {
    if (this.#final || this.#connected) return
    this.#connected = true
    this.#hello()
  }

  acquire(request: LeaseRequest): { readonly release: () => void } {
    const leaseId = this.#nextLeaseId++
    this.#leases.set(leaseId, request)
    this.#send({ type: "lease", tabId: this.#options.tabId, leaseId, request })
    return {
      release: () => {
        if (this.#leases.delete(leaseId)) {
          this.#send({ type: "release", tabId: this.#options.tabId, leaseId })
        }
      },
    }
  }

  setVisible(visible: boolean): void {
    if (this.#visible === visible) return
    this.#visible = visible
    this.#send({ type: "visible", tabId: this.#options.tabId, visible })
  }

  call(name: keyof EngineCalls, args: ReadonlyArray<unknown>): Promise<unknown> {
    if (this.#phase.phase === "closed") return Promise.reject(new ClientClosed())
    if (this.#phase.phase === "failed") return Promise.reject(new HostFailed(this.#phase.message))
    if (name === "setCredentials") this.#credentials = args[0]
    const answer = this.#calls.open(name, args)
    this.#sendCalls()
    return answer
  }

  /** True when the phase will not change any more: closed, or this tab's own part failed. */
  get isFinal(): boolean {
    return this.#final
  }

  /** This tab's own part failed (worker, lock, database): final, whatever other tabs say. */
  fail(message: string): void {
    if (this.#final) return
    this.#final = true
    this.#enter({ phase: "failed", message })
    this.#farewell()
  }

  close(): void {
    if (this.#phase.phase === "closed") return
    this.#final = true
    this.#enter({ phase: "closed" })
    this.#calls.failAll(new ClientClosed())
    this.#farewell()
    this.#announcements.close()
    this.#answers.close()
    this.#leader.close()
    const all = [this.phases, this.statuses, this.storages, this.commits, this.params.changes]
    for (const listeners of all) listeners.clear()
  }

  #receive(message: Announcement | Answer): void {
    if (this.#final) return
    if (message.type === "leader") return this.#meet(message)
    if (message.epoch !== this.#epoch) return
    switch (message.type) {
      case "phase":
        return this.#follow(message.phase)
      case "status":
        return this.statuses.emit(message.status)
      case "storage":
        return this.storages.emit(message.storage)
      case "commit":
        return this.commits.emit(message.notice)
      case "params":
        return this.params.follow(message.chosen)
      case "result":
        return this.#calls.answer(message.callId, message.outcome)
    }
  }

  #meet(leader: LeaderState): void {
    if (this.#pastEpochs.has(leader.epoch)) return
    if (leader.version !== protocolVersion) return this.fail(versionMismatch)
    if (leader.fingerprint !== this.#options.fingerprint)
      return this.fail(fingerprintMismatch(this.#options.name))
    if (leader.epoch !== this.#epoch) {
      if (this.#epoch !== null) {
        this.#pastEpochs.add(this.#epoch)
        this.#missedCommits = true
        this.#wasPaused = this.status?.pauseReasons.includes("manual") ?? false
      }
      this.#epoch = leader.epoch
      this.#leaderTabId = leader.tabId
      // The announcement went to all: this leader does not know our leases yet. After a welcome the
      // repetition is harmless.
      if (this.#connected) this.#hello()
    }
    this.params.follow(leader.chosen)
    if (leader.status !== null) this.statuses.emit(leader.status)
    if (leader.storage !== null) this.storages.emit(leader.storage)
    this.#follow(leader.phase)
  }

  #follow(phase: HostPhase): void {
    // What failed runs in this tab's worker: final here. Elsewhere it may recover when the next tab leads.
    if (phase.phase === "failed" && this.isLeader) return this.fail(phase.message)
    this.#enter(phase)
    if (phase.phase !== "ready") return
    if (this.#wasPaused) {
      // A pause by hand is the user's decision and outlives the leader; nobody waits for this repetition.
      this.#wasPaused = false
      this.#calls.open("pause", ["manual"]).catch(() => undefined)
    }
    if (this.#missedCommits && this.#credentials !== null)
      this.#calls.open("setCredentials", [this.#credentials]).catch(() => undefined)
    this.#sendCalls()
    if (this.#missedCommits) {
      this.#missedCommits = false
      this.commits.emit({ tables: this.#options.tables })
    }
  }

  #enter(phase: HostPhase): void {
    const before = this.#phase
    this.#phase = phase
    this.#watchStart()
    if (phase.phase === "failed") this.#calls.failAll(new HostFailed(phase.message))
    if (JSON.stringify(before) !== JSON.stringify(phase)) this.phases.emit(phase)
  }

  /**
   * Restarts the clock of the start with every sign of progress; stops it when there is nothing left to wait
   * for.
   */
  #watchStart(): void {
    clearTimeout(this.#startTimer)
    const phase = this.#phase
    if (phase.phase !== "starting") return
    this.#startTimer = setTimeout(() => {
      const waited = `for ${this.#options.startTimeoutMillis} ms`
      this.#enter({
        phase: "failed",
        message:
          this.#epoch === null
            ? `The worker started, but no tab answered as leader ${waited}. Another tab may hold the database without answering: close or reload it.`
            : `The start made no progress ${waited} at step "${phase.step}". It goes on in the background; reload the page if it does not recover.`,
      })
    }, this.#options.startTimeoutMillis)
  }

  #hello(): void {
    this.#send({
      type: "hello",
      tabId: this.#options.tabId,
      visible: this.#visible,
      leases: [...this.#leases].map(([leaseId, request]) => ({ leaseId, request })),
      ...this.params.greeting,
    })
  }

  #sendCalls(): void {
    if (this.#epoch === null || this.#phase.phase !== "ready" || !this.#connected) return
    this.#calls.sendTo(this.#epoch, (callId, name, args) =>
      this.#send({ type: "call", tabId: this.#options.tabId, callId, name, args }),
    )
  }

  #send(message: TabMessage): void {
    if (this.#connected && !this.#final) this.#leader.post(message)
  }

  #farewell(): void {
    clearTimeout(this.#startTimer)
    if (!this.#connected) return
    this.#connected = false
    this.#leader.post({ type: "bye", tabId: this.#options.tabId })
  }
}
