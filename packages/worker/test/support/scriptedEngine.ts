/**
 * An engine without a reconciler for tests of the host: its status lists the leases it holds, its commands
 * record what they were asked, and the test emits commits. It fetches nothing and stores nothing.
 */
import { Engine, type Lease, StoreError } from "@espalier/engine"
import {
  CompileError,
  type EngineStatus,
  type InstanceStatus,
  type PauseReason,
} from "@espalier/engine/protocol"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"

const instance = (key: string, leases: number): InstanceStatus => ({
  key,
  node: key,
  table: key,
  bindings: {},
  hash: "scripted",
  state: "Live",
  since: 0,
  attempt: 0,
  nextAttemptAt: null,
  error: null,
  rows: 0,
  bytes: 0,
  requests: 0,
  handle: null,
  offset: null,
  lastUpToDateAt: null,
  slot: false,
  leases,
  demandedBy: [],
  pauseReasons: [],
  desired: true,
})

const status = (
  held: ReadonlyMap<string, number>,
  pauses: ReadonlyArray<PauseReason>,
  generation: number,
): EngineStatus => ({
  graph: "scripted",
  state: "live",
  nodes: {},
  progress: { instances: 0, complete: 0, live: 0, rows: 0, bytes: 0, requests: 0 },
  instances: Object.fromEntries([...held].map(([node, count]) => [node, instance(node, count)])),
  connections: { open: 0, max: 4, waiting: 0 },
  pauseReasons: pauses,
  ready: true,
  generation,
})

export interface ScriptedEngine {
  readonly service: Engine["Service"]
  /** Node → number of leases held. */
  readonly held: ReadonlyMap<string, number>
  /** Commands received, in order. */
  readonly asked: ReadonlyArray<string>
  readonly commit: (tables: ReadonlyArray<string>) => Effect.Effect<void>
}

export const makeScriptedEngine = Effect.gen(function* () {
  const held = new Map<string, number>()
  const asked: Array<string> = []
  const pauses: Array<PauseReason> = []
  let generation = 0
  const ref = yield* SubscriptionRef.make(status(held, pauses, generation))
  const commits = yield* PubSub.unbounded<{ readonly tables: ReadonlyArray<string> }>()
  const publish = Effect.suspend(() => SubscriptionRef.set(ref, status(held, [...pauses], ++generation)))
  const count = (node: string, by: number) =>
    Effect.suspend(() => {
      const next = (held.get(node) ?? 0) + by
      if (next === 0) held.delete(node)
      else held.set(node, next)
      return publish
    })
  const ask = (command: string) => Effect.sync(() => void asked.push(command))
  const service = Engine.of({
    status: SubscriptionRef.get(ref),
    statusChanges: SubscriptionRef.changes(ref),
    commits: Stream.fromPubSub(commits),
    acquire: (lease: Lease) => Effect.acquireRelease(count(lease.node, 1), () => count(lease.node, -1)),
    setParams: (params) =>
      Object.hasOwn(params, "userId")
        ? Effect.fail(new CompileError("params.userId", "comes from the identity"))
        : ask(`setParams ${JSON.stringify(params)}`),
    explainRow: (table, primaryKey) => Effect.succeed({ table, primaryKey, heldBy: [] }),
    retry: (key) => Effect.as(ask(`retry ${key}`), true),
    refetch: (key) => Effect.as(ask(`refetch ${key}`), key !== "unknown"),
    evict: (key) => Effect.as(ask(`evict ${key}`), key !== "desired"),
    pause: (reason) =>
      Effect.andThen(
        ask(`pause ${reason}`),
        Effect.suspend(() => (pauses.push(reason), publish)),
      ),
    resume: (reason) =>
      Effect.andThen(
        ask(`resume ${reason}`),
        Effect.suspend(() => (pauses.splice(pauses.indexOf(reason), 1), publish)),
      ),
    explain: (key) =>
      Effect.succeed({
        key,
        desired: true,
        why: [],
        waitingFor: null,
        next: null,
        status: null,
        definition: null,
        journal: [],
      }),
    holders: (table) =>
      table === "broken"
        ? Effect.fail(
            new StoreError({ operation: "holders", kind: "unavailable", cause: new Error("no such table") }),
          )
        : Effect.succeed([`${table}-holder`]),
    journal: Effect.succeed([]),
    requests: Effect.succeed([]),
    wipe: ask("wipe"),
  })
  const scripted: ScriptedEngine = {
    service,
    held,
    asked,
    commit: (tables) => PubSub.publish(commits, { tables }),
  }
  return scripted
})
