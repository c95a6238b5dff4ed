/**
 * The state of one instance (one Electric shape) by its human key, e.g. `company-7-members`, and the two
 * things one may ask of it.
 */
import { computed, toValue, type ComputedRef, type MaybeRefOrGetter } from "vue"
import type { InstanceStatus, StateName } from "@espalier/engine/protocol"
import { injectEspalier, type NameOption } from "./injection.ts"

export interface InstanceState {
  /** Null while no such instance exists. */
  readonly status: ComputedRef<InstanceStatus | null>
  readonly state: ComputedRef<StateName | null>
  readonly isLive: ComputedRef<boolean>
  /** Ends a backoff or a halt now. False when there is no such instance (or no client). */
  readonly retry: () => Promise<boolean>
  /** Fetches the shape anew beside the old rows. False when there is no such instance (or no client). */
  readonly refetch: () => Promise<boolean>
}

/** State of one instance. @throws EspalierMissing without the plugin */
export const useInstance = (key: MaybeRefOrGetter<string | null>, options?: NameOption): InstanceState => {
  const espalier = injectEspalier("useInstance()", options)
  const status = computed(() => {
    const wanted = toValue(key)
    return wanted === null ? null : (espalier.status.value?.instances[wanted] ?? null)
  })
  const command = async (name: "retry" | "refetch"): Promise<boolean> => {
    const wanted = toValue(key)
    const client = espalier.client.value
    return wanted === null || client === null ? false : client.call(name, wanted)
  }
  return {
    status,
    state: computed(() => status.value?.state ?? null),
    isLive: computed(() => status.value?.state === "Live"),
    retry: async () => command("retry"),
    refetch: async () => command("refetch"),
  }
}
