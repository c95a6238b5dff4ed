/**
 * Keeps the storage status of one leader true: asks the browser for its estimate now and then, notes refused writes and evictions, and
 * tells the tabs what changed. Decides nothing about rows. Made by `startHost`, once the back end is chosen.
 */
import * as Effect from "effect/Effect"
import type { StorageEviction, StorageStatus } from "../../contract.ts"
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
  /** Whether the last write was refused for lack of space. */
  readonly writeRefused: (refused: boolean) => Effect.Effect<void>
  readonly evicted: (eviction: StorageEviction) => Effect.Effect<void>
}

const same = (left: StorageStatus, right: StorageStatus): boolean =>
  JSON.stringify(left) === JSON.stringify(right)

/** Watches until the surrounding scope closes. The first status is announced before this returns. */
export const watchStorage = Effect.fnUntraced(function* (
  choice: BackendChoice,
  durability: StorageStatus["durability"],
) {
  const environment = yield* HostEnvironment
  const tabs = yield* TabServer
  let refused = false
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
    const level = storageLevel({ usageBytes, quotaBytes }, refused)
    yield* set({ ...status, persisted, usageBytes, quotaBytes, level })
  })
  yield* tabs.setStorage(status)
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(estimateIntervalMillis))))
  const watch: StorageWatch = {
    status: Effect.sync(() => status),
    writeRefused: (now) =>
      Effect.suspend(() => {
        if (refused === now) return Effect.void
        refused = now
        return look
      }),
    evicted: (eviction) =>
      Effect.suspend(() =>
        set({ ...status, evictions: [...status.evictions, eviction].slice(-listedEvictions) }),
      ),
  }
  return watch
})
