/**
 * Serves the tabs from the leader: announces itself, answers hellos, turns leases into the engine's leases
 * and calls into the engine's commands, and ends what a vanished tab wanted. It starts before the database
 * and outlives a failed start, so that a tab always learns how it stands. Messages are taken one at a time;
 * calls run beside each other. Used by `startHost` only.
 */
import { Credentials, Current, type Engine } from "@espalier/engine"
import type { EngineStatus } from "@espalier/engine/protocol"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { CommitNotice, HostPhase, LeaseRequest, StorageStatus } from "../contract.ts"
import {
  announcementChannel,
  fingerprint,
  leaderChannel,
  protocolVersion,
  tabChannel,
  tabLock,
  type Announcement,
  type Answer,
  type CallOutcome,
  type Channel,
  type HostMeta,
  type LeaderState,
  type TabMessage,
} from "../protocol.ts"
import { runCall, type CallTarget } from "./calls.ts"
import { HostEnvironment } from "./HostEnvironment.ts"
import { makeParamsDesk, type ParamsDesk } from "./ParamsDesk.ts"
import { anyVisible, endTab, heldLeases, noTabs, receive, type TabAction, type Tabs } from "./TabRegistry.ts"

/**
 * A status is broadcast at most this often; between two, only the newest is kept. The engine has a pace of
 * its own.
 */
const statusIntervalMillis = 25

type Inbound = TabMessage | { readonly type: "gone"; readonly tabId: string }

export class TabServer extends Context.Service<
  TabServer,
  {
    /** Tells every tab, now and on later hellos. */
    readonly setPhase: (phase: HostPhase) => Effect.Effect<void>
    /** As {@link setPhase}, of the storage. */
    readonly setStorage: (storage: StorageStatus) => Effect.Effect<void>
    /** Values of the graph's parameters for an engine that starts now: the settings', or what tabs brought from the leader before. */
    readonly params: Effect.Effect<Readonly<Record<string, string>>>
    /** Gives the engine the leases held so far and from now on, and broadcasts its status and commits. */
    readonly serve: (engine: Engine["Service"]) => Effect.Effect<void>
    /** Whether any tab can be seen: current value first, then every change. */
    readonly visible: Stream.Stream<boolean>
  }
>()("@espalier/worker/host/TabServer") {
  /** Announces this leader under a fresh epoch as soon as it is built. */
  static readonly layer = (meta: HostMeta, epoch: string): Layer.Layer<TabServer, never, HostEnvironment> =>
    Layer.effect(TabServer, make(meta, epoch))
}

/**
 * Everything one server holds. Its mutable fields are written by the inbox fiber and by the host's start,
 * never across an await.
 */
interface Desk {
  readonly meta: HostMeta
  readonly epoch: string
  readonly environment: HostEnvironment["Service"]
  /** The server's own: calls and broadcasts run in it. */
  readonly scope: Scope.Scope
  readonly inbox: Queue.Queue<Inbound>
  /** By tab: the wait for its lock. */
  readonly watches: FiberMap.FiberMap<string>
  /** By lease: the engine's lease, held while the fiber runs. */
  readonly leases: FiberMap.FiberMap<string>
  readonly visible: Current<boolean>
  readonly announcements: Channel<never, Announcement>
  readonly answers: Map<string, Channel<never, Answer>>
  readonly params: ParamsDesk
  tabs: Tabs
  phase: HostPhase
  status: EngineStatus | null
  storage: StorageStatus | null
  target: CallTarget | null
}

const leaderState = (desk: Desk): LeaderState => ({
  type: "leader",
  version: protocolVersion,
  epoch: desk.epoch,
  tabId: desk.meta.tabId,
  fingerprint: fingerprint(desk.meta.settings),
  phase: desk.phase,
  status: desk.status,
  storage: desk.storage,
  chosen: desk.params.chosen(),
})

const answer = (desk: Desk, tabId: string, message: Answer): void => desk.answers.get(tabId)?.post(message)

/** Before the engine runs, a lease is only written down; `serve` acquires what was. */
const acquire = (desk: Desk, lease: string, request: LeaseRequest): Effect.Effect<unknown> =>
  desk.target === null
    ? Effect.void
    : FiberMap.run(
        desk.leases,
        lease,
        Effect.scoped(Effect.andThen(desk.target.engine.acquire(request), Effect.never)),
        { onlyIfMissing: true },
      )

const call = (desk: Desk, action: TabAction & { readonly type: "call" }): Effect.Effect<unknown> => {
  const { tabId, callId } = action
  const reply = (outcome: CallOutcome): void =>
    answer(desk, tabId, { type: "result", epoch: desk.epoch, callId, outcome })
  return Effect.forkIn(Effect.map(runCall(desk.target, action.name, action.args), reply), desk.scope)
}

const watch = (desk: Desk, tabId: string): Effect.Effect<unknown> => {
  const { name } = desk.meta.settings
  desk.answers.set(
    tabId,
    desk.environment.open(tabChannel(name, tabId), () => undefined),
  )
  return FiberMap.run(
    desk.watches,
    tabId,
    Effect.andThen(desk.environment.lockReleased(tabLock(name, tabId)), () =>
      Queue.offer(desk.inbox, { type: "gone", tabId }),
    ),
  )
}

const act = (desk: Desk, action: TabAction): Effect.Effect<unknown> => {
  switch (action.type) {
    case "watch":
      return watch(desk, action.tabId)
    case "welcome":
      return Effect.sync(() => answer(desk, action.tabId, leaderState(desk)))
    case "restore":
      return desk.params.restore(desk.target?.engine ?? null, action.chosen)
    case "forget":
      desk.answers.get(action.tabId)?.close()
      desk.answers.delete(action.tabId)
      return FiberMap.remove(desk.watches, action.tabId)
    case "acquire":
      return acquire(desk, action.lease, action.request)
    case "release":
      return FiberMap.remove(desk.leases, action.lease)
    case "call":
      return call(desk, action)
  }
}

const take = Effect.fnUntraced(function* (desk: Desk, message: Inbound) {
  const step = message.type === "gone" ? endTab(desk.tabs, message.tabId) : receive(desk.tabs, message)
  desk.tabs = step.tabs
  yield* Effect.forEach(step.actions, (action) => act(desk, action), { discard: true })
  yield* Effect.sync(() => desk.visible.set(anyVisible(desk.tabs)))
})

const broadcastStatus = (desk: Desk, status: EngineStatus): Effect.Effect<void> =>
  Effect.suspend(() => {
    desk.status = status
    desk.announcements.post({ type: "status", epoch: desk.epoch, status })
    return Effect.sleep(statusIntervalMillis)
  })

const broadcastCommit = (desk: Desk, notice: CommitNotice): Effect.Effect<void> =>
  Effect.sync(() => desk.announcements.post({ type: "commit", epoch: desk.epoch, notice }))

const serve = Effect.fnUntraced(function* (desk: Desk, engine: Engine["Service"]) {
  desk.target = { engine, credentials: yield* Credentials, params: desk.params, pauses: new Set() }
  yield* desk.params.serve(engine)
  yield* Effect.forEach(heldLeases(desk.tabs), ({ lease, request }) => acquire(desk, lease, request), {
    discard: true,
  })
  yield* engine.commits.pipe(
    Stream.runForEach((notice) => broadcastCommit(desk, notice)),
    Effect.forkIn(desk.scope, { startImmediately: true }),
  )
  yield* engine.statusChanges.pipe(
    Stream.buffer({ capacity: 1, strategy: "sliding" }),
    Stream.runForEach((status) => broadcastStatus(desk, status)),
    Effect.forkIn(desk.scope),
  )
})

const setPhase = (desk: Desk, phase: HostPhase): Effect.Effect<void> =>
  Effect.sync(() => {
    desk.phase = phase
    desk.announcements.post({ type: "phase", epoch: desk.epoch, phase })
  })

const setStorage = (desk: Desk, storage: StorageStatus): Effect.Effect<void> =>
  Effect.sync(() => {
    desk.storage = storage
    desk.announcements.post({ type: "storage", epoch: desk.epoch, storage })
  })

const openDesk = Effect.fnUntraced(function* (meta: HostMeta, epoch: string) {
  const environment = yield* HostEnvironment
  const inbox = yield* Queue.unbounded<Inbound>()
  const { name } = meta.settings
  const requests = environment.open<TabMessage, never>(leaderChannel(name), (message) => {
    Queue.offerUnsafe(inbox, message)
  })
  const announcements = environment.open<never, Announcement>(announcementChannel(name), () => undefined)
  const desk: Desk = {
    meta,
    epoch,
    environment,
    scope: yield* Scope.Scope,
    inbox,
    watches: yield* FiberMap.make<string>(),
    leases: yield* FiberMap.make<string>(),
    visible: new Current(true),
    announcements,
    answers: new Map(),
    params: makeParamsDesk(meta.settings, (chosen) => announcements.post({ type: "params", epoch, chosen })),
    tabs: noTabs,
    phase: { phase: "starting", step: "worker" },
    status: null,
    storage: null,
    target: null,
  }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      requests.close()
      desk.announcements.close()
      for (const channel of desk.answers.values()) channel.close()
    }),
  )
  return desk
})

const make = Effect.fnUntraced(function* (meta: HostMeta, epoch: string) {
  const desk = yield* openDesk(meta, epoch)
  // The desk hears tabs by now, so none can miss both this announcement and an answer to its hello.
  desk.announcements.post(leaderState(desk))
  yield* Effect.forkIn(
    Effect.forever(Effect.flatMap(Queue.take(desk.inbox), (message) => take(desk, message))),
    desk.scope,
  )
  return TabServer.of({
    setPhase: (phase) => setPhase(desk, phase),
    setStorage: (storage) => setStorage(desk, storage),
    params: Effect.sync(() => ({ ...meta.settings.params, ...desk.params.take() })),
    serve: (engine) => serve(desk, engine),
    visible: Stream.changes(desk.visible.values),
  })
})
