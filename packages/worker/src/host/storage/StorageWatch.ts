/**
 * Keeps the storage status of one leader true: asks the browser for its estimate now and then, notes refused writes and evictions, and
 * tells the tabs what changed. Decides nothing about rows. Made by `startHost`, once the back end is chosen.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Quarantine, StorageEviction, StorageStatus } from "../../contract.ts"
import { HostEnvironment } from "../HostEnvironment.ts"
import { TabServer } from "../TabServer.ts"
import type { BackendChoice } from "./backend.ts"
import { storageLevel } from "./level.ts"

/** The browser is asked for its estimate this often; it is cheap, and quotas change slowly. */
const estimateIntervalMillis = 15_000

/** Evictions a status lists; the oldest are dropped. */
const listedEvictions = 50

export interface StorageWatch {
  readonly status: Effect.Effect<StorageStatus>
  /** Whether the last write was refused for lack of space, as one of two knows: the engine's commits, or the flushes behind them. */
  readonly writeRefused: (by: "commit" | "flush", refused: boolean) => Effect.Effect<void>
  /** As {@link writeRefused}, for a flush that ended with null or an error, from outside of Effect. */
  readonly flushed: (error: unknown) => void
  /** The database lies elsewhere than was chosen, or another one was moved aside for it. */
  readonly moved: (choice: BackendChoice, quarantined: Quarantine | null) => Effect.Effect<void>
  readonly evicted: (eviction: StorageEviction) => Effect.Effect<void>
}

const isQuotaError = (error: unknown): boolean =>
  error instanceof Error && /quota|no space/i.test(`${error.name} ${error.message}`)

const same = (left: StorageStatus, right: StorageStatus): boolean =>
  JSON.stringify(left) === JSON.stringify(right)

/** Watches until the surrounding scope closes. The first status is announced before this returns. */
export const watchStorage = Effect.fnUntraced(function* (
  choice: BackendChoice,
  durability: StorageStatus["durability"],
) {
  const environment = yield* HostEnvironment
  const tabs = yield* TabServer
  const refusedBy = new Set<"commit" | "flush">()
  const flushes = yield* Queue.unbounded<unknown>()
  let status: StorageStatus = {
    backend: choice.backend,
    reason: choice.reason,
    durability,
    persisted: null,
    usageBytes: null,
    quotaBytes: null,
    level: "ok",
    evictions: [],
  }
  const set = (next: StorageStatus) =>
    Effect.suspend(() => {
      if (same(status, next)) return Effect.void
      status = next
      return tabs.setStorage(status)
    })
  const look = Effect.gen(function* () {
    const { persisted, quotaBytes, usageBytes } = yield* environment.estimateStorage
    const level = storageLevel({ usageBytes, quotaBytes }, refusedBy.size > 0)
    yield* set({ ...status, persisted, usageBytes, quotaBytes, level })
  })
  yield* tabs.setStorage(status)
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(estimateIntervalMillis))))
  const watch: StorageWatch = {
    status: Effect.sync(() => status),
    writeRefused: (by, refused) =>
      Effect.suspend(() => {
        if (refusedBy.has(by) === refused) return Effect.void
        if (refused) refusedBy.add(by)
        else refusedBy.delete(by)
        return look
      }),
    flushed: (error) => void Queue.offerUnsafe(flushes, error),
    moved: ({ backend, reason }, quarantined) =>
      Effect.suspend(() =>
        set({ ...status, backend, reason, ...(quarantined === null ? {} : { quarantined }) }),
      ),
    evicted: (eviction) =>
      Effect.suspend(() =>
        set({ ...status, evictions: [...status.evictions, eviction].slice(-listedEvictions) }),
      ),
  }
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.flatMap(Queue.take(flushes), (error) => watch.writeRefused("flush", isQuotaError(error))),
    ),
  )
  return watch
})
