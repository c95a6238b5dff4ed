/**
 * Where this device keeps the rows and how much room is left, as refs: what a settings page shows and what an app asks
 * before it invites somebody to work offline. Reads what the engine reports; measures nothing itself.
 */
import { computed, shallowRef, type ComputedRef, type ShallowRef } from "vue"
import type { EngineClient, StorageStatus } from "@espalier/worker"
import { injectEspalier, type NameOption } from "./injection.ts"
import { fromSubscription, isServer } from "./internal/fromSubscription.ts"
import { shareDeep } from "./internal/share.ts"

export interface StorageState {
  /** All the engine says; null before its first report. */
  readonly storage: Readonly<ShallowRef<StorageStatus | null>>
  /** `ok | warning | critical | full`; null while unknown. */
  readonly level: ComputedRef<StorageStatus["level"] | null>
  readonly usageBytes: ComputedRef<number | null>
  /** Null also where the browser does not say. */
  readonly quotaBytes: ComputedRef<number | null>
  /** Share of the quota in use, 0 to 1; null while either number is unknown. */
  readonly share: ComputedRef<number | null>
  /** True when the browser promised not to clear the data by itself; null while unknown. */
  readonly persisted: ComputedRef<boolean | null>
  /** Instances whose rows were dropped to make room, oldest first. */
  readonly evictions: ComputedRef<StorageStatus["evictions"]>
  /**
   * Asks the browser to keep the data until the user clears it. True when it will; browsers decide by their own rules,
   * some ask the user, so call it on a click.
   */
  readonly persist: () => Promise<boolean>
  /** Drops the rows of an instance nobody wants now. False when it is wanted, unknown, or there is no client. */
  readonly evict: (key: string) => Promise<boolean>
}

const noEvictions: StorageStatus["evictions"] = []

/** State of this device's storage. @throws EspalierMissing without the plugin */
export const useStorage = (options?: NameOption): StorageState => {
  const espalier = injectEspalier("useStorage()", options)
  const storage = fromSubscription<EngineClient, StorageStatus | null>({
    source: () => espalier.client.value,
    absent: null,
    current: (client) => client.storage,
    subscribe: (client, emit) => client.onStorage(emit),
    share: shareDeep,
  })
  /** The browser's answer to `persist`, until the engine reports it itself. */
  const promised = shallowRef(false)
  const usageBytes = computed(() => storage.value?.usageBytes ?? null)
  const quotaBytes = computed(() => storage.value?.quotaBytes ?? null)
  return {
    storage,
    level: computed(() => storage.value?.level ?? null),
    usageBytes,
    quotaBytes,
    share: computed(() =>
      usageBytes.value === null || !quotaBytes.value ? null : usageBytes.value / quotaBytes.value,
    ),
    persisted: computed(() => (promised.value ? true : (storage.value?.persisted ?? null))),
    evictions: computed(() => storage.value?.evictions ?? noEvictions),
    persist: async () => {
      if (isServer() || typeof navigator.storage?.persist !== "function") return false
      promised.value = await navigator.storage.persist()
      return promised.value
    },
    evict: async (key) => (await espalier.client.value?.call("evict", key)) ?? false,
  }
}
