/**
 * Port: what the host needs of the browser around it: channels, Web Locks, the online signal, storage. Implemented
 * from the worker's globals here, and in memory by tests. Called by the host's layers only.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { openBroadcastChannel, type OpenChannel } from "../protocol.ts"
import type { Probe } from "./storage/backend.ts"
import type { StorageEstimate } from "./storage/level.ts"
import { probeStorage } from "./storage/probes.ts"

export class HostEnvironment extends Context.Service<
  HostEnvironment,
  {
    readonly open: OpenChannel
    /** Resolves when the lock was free once, i.e. when its holder is gone. Does not keep it. */
    readonly lockReleased: (name: string) => Effect.Effect<void>
    /** Takes a lock for the life of the worker. False when it was not free within the time. */
    readonly holdLock: (name: string, waitMillis: number) => Effect.Effect<boolean>
    /** Whether the browser believes it is online: current value first, then every change. */
    readonly online: Stream.Stream<boolean>
    /** Whether rows can be kept there; see `storage/probes.ts`. */
    readonly probeStorage: Probe
    /** What the browser says about the origin's storage. Never fails: what it does not say is null. */
    readonly estimateStorage: Effect.Effect<StorageEstimate & { readonly persisted: boolean | null }>
  }
>()("@espalier/worker/host/HostEnvironment") {}

const lockReleased = (name: string): Effect.Effect<void> =>
  Effect.callback<void>((resume, signal) => {
    navigator.locks
      .request(name, { signal }, () => resume(Effect.void))
      // Rejects only when interrupted: nobody waits for the outcome then.
      .catch(() => undefined)
  })

const holdLock = (name: string, waitMillis: number): Effect.Effect<boolean> =>
  Effect.promise(
    () =>
      new Promise<boolean>((resolve) => {
        navigator.locks
          .request(name, { signal: AbortSignal.timeout(waitMillis) }, () => {
            resolve(true)
            // Kept until the worker ends.
            return new Promise<void>(() => undefined)
          })
          .catch(() => resolve(false))
      }),
  )

const online: Stream.Stream<boolean> = Stream.callback<boolean>((queue) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const report = (): void => {
        Queue.offerUnsafe(queue, navigator.onLine)
      }
      report()
      globalThis.addEventListener("online", report)
      globalThis.addEventListener("offline", report)
      return report
    }),
    (report) =>
      Effect.sync(() => {
        globalThis.removeEventListener("online", report)
        globalThis.removeEventListener("offline", report)
      }),
  ),
)

const orNull = <Value>(asked: (() => Promise<Value>) | undefined): Effect.Effect<Value | null> =>
  asked === undefined ? Effect.succeed(null) : Effect.promise(() => asked().catch(() => null))

const estimateStorage = Effect.gen(function* () {
  // Missing in an insecure context.
  const storage: StorageManager | undefined = navigator.storage
  const estimate = yield* orNull(storage?.estimate?.bind(storage))
  return {
    usageBytes: estimate?.usage ?? null,
    quotaBytes: estimate?.quota ?? null,
    persisted: yield* orNull(storage?.persisted?.bind(storage)),
  }
})

/** The environment of a dedicated worker. */
export const browserEnvironment: HostEnvironment["Service"] = HostEnvironment.of({
  open: openBroadcastChannel,
  lockReleased,
  holdLock,
  online,
  probeStorage,
  estimateStorage,
})
