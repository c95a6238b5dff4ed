/**
 * Serves the tabs from the leader: announces itself, answers hellos, turns leases into the engine's leases and calls into the engine's
 * commands, and ends what a vanished tab wanted. It starts before the database and outlives a failed start, so that a tab always learns how it
 * stands. Messages are taken one at a time; calls run beside each other. Used by `startHost` only.
 */
import type { Engine } from "@espalier/engine"
import type { EngineStatus } from "@espalier/engine/protocol"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { CommitNotice, HostPhase, LeaseRequest } from "../contract.ts"
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
import { anyVisible, endTab, heldLeases, noTabs, receive, type Step, type TabAction } from "./TabRegistry.ts"

/** A status is broadcast at most this often; between two, only the newest is kept. The engine has a pace of its own. */
const statusIntervalMillis = 25

type Inbound = TabMessage | { readonly type: "gone"; readonly tabId: string }

export class TabServer extends Context.Service<
  TabServer,
  {
    /** Tells every tab, now and on later hellos. */
    readonly setPhase: (phase: HostPhase) => Effect.Effect<void>
    /** Gives the engine the leases held so far and from now on, and broadcasts its status and commits. */
    readonly serve: (engine: Engine["Service"]) => Effect.Effect<void>
    /** Whether any tab can be seen: current value first, then every change. */
    readonly visible: Stream.Stream<boolean>
  }
>()("@espalier/worker/host/TabServer") {
  /** Announces this leader under a fresh epoch as soon as it is built. */
  static readonly layer = (
    meta: HostMeta,
    epoch: string,
  ): Layer.Layer<TabServer, never, HostEnvironment> => Layer.effect(TabServer, make(meta, epoch))
}

/** What changes while the server runs. Touched by the inbox fiber and by the host's start, never at the same time (no await in between). */
interface Desk {
  tabs: Step["tabs"]
  phase: HostPhase
  status: EngineStatus | null
  target: CallTarget | null
  readonly answers: Map<string, Channel<never, Answer>>
}

const make = Effect.fnUntraced(function* (meta: HostMeta, epoch: string) {
  const environment = yield* HostEnvironment
  const scope = yield* Scope.Scope
  const { name } = meta.settings
  const desk: Desk = {
    tabs: noTabs,
    phase: { phase: "starting", step: "worker" },
    status: null,
    target: null,
    answers: new Map(),
  }
  const visible = yield* SubscriptionRef.make(true)
  const inbox = yield* Queue.unbounded<Inbound>()
  const watches = yield* FiberMap.make<string>()
  const leases = yield* FiberMap.make<string>()

  const announcements = environment.open<never, Announcement>(announcementChannel(name), () => undefined)
  const requests = environment.open<TabMessage, never>(leaderChannel(name), (message) => {
    Queue.offerUnsafe(inbox, message)
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      announcements.close()
      requests.close()
      for (const channel of desk.answers.values()) channel.close()
    }),
  )

  const leaderState = (): LeaderState => ({
    type: "leader",
    version: protocolVersion,
    epoch,
    tabId: meta.tabId,
    fingerprint: fingerprint(meta.settings),
    phase: desk.phase,
    status: desk.status,
  })

  const answer = (tabId: string, message: Answer): void => desk.answers.get(tabId)?.post(message)

  const acquire = (lease: string, request: LeaseRequest) =>
    desk.target === null
      ? Effect.void
      : FiberMap.run(
          leases,
          lease,
          Effect.scoped(Effect.andThen(desk.target.engine.acquire(request), Effect.never)),
          { onlyIfMissing: true },
        )

  const call = (action: TabAction & { readonly type: "call" }) => {
    const { tabId, callId } = action
    const reply = (outcome: CallOutcome): void => answer(tabId, { type: "result", epoch, callId, outcome })
    return Effect.forkIn(
      Effect.map(runCall(desk.target, action.name, action.args), reply),
      scope,
    )
  }

  const act = (action: TabAction): Effect.Effect<unknown> => {
    switch (action.type) {
      case "watch":
        desk.answers.set(action.tabId, environment.open(tabChannel(name, action.tabId), () => undefined))
        return FiberMap.run(
          watches,
          action.tabId,
          Effect.andThen(environment.lockReleased(tabLock(name, action.tabId)), () =>
            Queue.offer(inbox, { type: "gone", tabId: action.tabId }),
          ),
        )
      case "welcome":
        return Effect.sync(() => answer(action.tabId, leaderState()))
      case "forget":
        desk.answers.get(action.tabId)?.close()
        desk.answers.delete(action.tabId)
        return FiberMap.remove(watches, action.tabId)
      case "acquire":
        return acquire(action.lease, action.request)
      case "release":
        return FiberMap.remove(leases, action.lease)
      case "call":
        return call(action)
    }
  }

  const take = Effect.fnUntraced(function* (message: Inbound) {
    const step = message.type === "gone" ? endTab(desk.tabs, message.tabId) : receive(desk.tabs, message)
    desk.tabs = step.tabs
    yield* Effect.forEach(step.actions, act, { discard: true })
    yield* SubscriptionRef.set(visible, anyVisible(desk.tabs))
  })

  const broadcastStatus = (status: EngineStatus) =>
    Effect.andThen(
      Effect.sync(() => {
        desk.status = status
        announcements.post({ type: "status", epoch, status })
      }),
      Effect.sleep(statusIntervalMillis),
    )

  const broadcastCommit = (notice: CommitNotice) =>
    Effect.sync(() => announcements.post({ type: "commit", epoch, notice }))

  const serve = Effect.fnUntraced(function* (engine: Engine["Service"]) {
    desk.target = { engine, pauses: new Set() }
    yield* Effect.forEach(heldLeases(desk.tabs), ({ lease, request }) => acquire(lease, request), { discard: true })
    yield* engine.commits.pipe(Stream.runForEach(broadcastCommit), Effect.forkIn(scope, { startImmediately: true }))
    yield* engine.statusChanges.pipe(
      Stream.buffer({ capacity: 1, strategy: "sliding" }),
      Stream.runForEach(broadcastStatus),
      Effect.forkIn(scope),
    )
  })

  announcements.post(leaderState())
  yield* Effect.forkIn(Effect.forever(Effect.flatMap(Queue.take(inbox), take)), scope)

  return TabServer.of({
    setPhase: (phase) =>
      Effect.sync(() => {
        desk.phase = phase
        announcements.post({ type: "phase", epoch, phase })
      }),
    serve,
    visible: Stream.changes(SubscriptionRef.changes(visible)),
  })
})
