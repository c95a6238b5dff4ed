/**
 * The words tabs and the leader say to each other, in one file: names of channels and locks, messages, and
 * the fingerprint that keeps tabs of different declarations apart. Plain structured-clonable data; no I/O, no
 * Effect, because the page half imports it. Three kinds of channel: the leader announces to all, tabs write
 * to the leader, the leader answers one tab.
 */
import type { EngineStatus } from "@espalier/engine/protocol"
import type {
  CommitNotice,
  EngineCalls,
  HostPhase,
  HostSettings,
  LeaseRequest,
  StorageStatus,
} from "./contract.ts"

/** Rises whenever a message changes its meaning: tabs of two deployments may meet on one origin. */
export const protocolVersion = 2

/** Channel on which the leader speaks to every tab. */
export const announcementChannel = (name: string): string => `espalier:${name}`

/** Channel on which tabs speak to the leader, whoever that is. */
export const leaderChannel = (name: string): string => `espalier:${name}:leader`

/** Channel on which the leader answers one tab. */
export const tabChannel = (name: string, tabId: string): string => `espalier:${name}:tab:${tabId}`

/** Web Lock a tab holds while it lives; the leader queues for it. */
export const tabLock = (name: string, tabId: string): string => `espalier-tab:${name}:${tabId}`

/** Web Lock the leader holds, so that two names never open one data directory at once. */
export const dataLock = (dataDir: string): string => `espalier-data:${dataDir}`

/** PGliteWorker's election id: by name, not by the bundle's URL, so that two deployments elect one leader. */
export const electionId = (name: string): string => `espalier:${name}`

/** What a page hands its worker in PGliteWorker's `meta`. */
export interface HostMeta {
  readonly tabId: string
  readonly settings: HostSettings
}

/** A lease with the number its tab gave it; numbers are never reused within a tab. */
export interface NumberedLease {
  readonly leaseId: number
  readonly request: LeaseRequest
}

/**
 * Values of the client's parameters, and how often they were set. The number rises over changes of leader too: a leader takes over
 * what a tab brings from the one before, and an older value never overrides a newer one.
 */
export interface ChosenParams {
  readonly revision: number
  readonly values: Readonly<Record<string, string>>
}

/** Who leads and how it stands. Sent to all when a leader starts, and to one tab in answer to its hello. */
export interface LeaderState {
  readonly type: "leader"
  readonly version: number
  /** New for every leader; answers that carry an older one are void. */
  readonly epoch: string
  /** The tab whose worker leads. */
  readonly tabId: string
  readonly fingerprint: string
  readonly phase: HostPhase
  readonly status: EngineStatus | null
  readonly storage: StorageStatus | null
  readonly chosen: ChosenParams
}

/** Leader to all tabs. */
export type Announcement =
  | LeaderState
  | { readonly type: "phase"; readonly epoch: string; readonly phase: HostPhase }
  | { readonly type: "status"; readonly epoch: string; readonly status: EngineStatus }
  | { readonly type: "storage"; readonly epoch: string; readonly storage: StorageStatus }
  | { readonly type: "commit"; readonly epoch: string; readonly notice: CommitNotice }
  | { readonly type: "params"; readonly epoch: string; readonly chosen: ChosenParams }

/** Outcome of a call. `name` is the error's tag, for a named error on the page. */
export type CallOutcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly name: string; readonly message: string }

/** Leader to one tab. */
export type Answer =
  | LeaderState
  | {
      readonly type: "result"
      readonly epoch: string
      readonly callId: number
      readonly outcome: CallOutcome
    }

/** Any tab to the leader. A leader ignores tabs that have not said hello to it. */
export type TabMessage =
  | {
      readonly type: "hello"
      readonly tabId: string
      readonly visible: boolean
      readonly leases: ReadonlyArray<NumberedLease>
      /** What this tab heard last from a leader; absent when it has met none. */
      readonly chosen?: ChosenParams
    }
  | ({ readonly type: "lease"; readonly tabId: string } & NumberedLease)
  | { readonly type: "release"; readonly tabId: string; readonly leaseId: number }
  | { readonly type: "visible"; readonly tabId: string; readonly visible: boolean }
  | {
      readonly type: "call"
      readonly tabId: string
      readonly callId: number
      readonly name: keyof EngineCalls
      readonly args: ReadonlyArray<unknown>
    }
  | { readonly type: "bye"; readonly tabId: string }

/** One end of a named broadcast channel. What is posted reaches every other end, never the sender. */
export interface Channel<In, Out> {
  readonly post: (message: Out) => void
  readonly close: () => void
  /** Never read; carries the incoming type. */
  readonly _in?: In
}

/** Opens a channel; the listener is in place before this returns. */
export type OpenChannel = <In, Out>(name: string, listener: (message: In) => void) => Channel<In, Out>

/** {@link OpenChannel} of the browser (and of Node). */
export const openBroadcastChannel: OpenChannel = <In, Out>(name: string, listener: (message: In) => void) => {
  const channel = new BroadcastChannel(name)
  channel.addEventListener("message", (event: MessageEvent<In>) => listener(event.data))
  return { post: (message: Out) => channel.postMessage(message), close: () => channel.close() }
}

const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
      .map(([name, member]) => [name, canonical(member)]),
  )
}

/**
 * 64 bits of FNV-1a over UTF-16 code units, as hex. Tells declarations apart; not a defence against a forger.
 */
const hash = (text: string): string => {
  let state = 0xcbf29ce484222325n
  for (let index = 0; index < text.length; index++) {
    state = BigInt.asUintN(64, (state ^ BigInt(text.charCodeAt(index))) * 0x100000001b3n)
  }
  return state.toString(16).padStart(16, "0")
}

/** The values of those parameters that are the client's to choose (or, with `identity`, of the others). */
export const paramsOf = (
  settings: Pick<HostSettings, "graph" | "params">,
  source: "client" | "identity",
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(settings.params).filter(
      ([name]) => (settings.graph.params?.[name]?.source === "client") === (source === "client"),
    ),
  )

/**
 * What two tabs must agree on to share an engine: database, graph, identity and source. Tabs that differ
 * (another deployment, another user under the same name) are refused instead of being shown each other's
 * rows. What the client may choose is not part of it: two tabs may come from two routes.
 */
export const fingerprint = (settings: HostSettings): string =>
  hash(
    JSON.stringify(
      canonical({
        dataDir: settings.dataDir,
        graph: settings.graph,
        params: paramsOf(settings, "identity"),
        source: settings.source,
      }),
    ),
  )
