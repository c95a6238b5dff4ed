/**
 * Asks the engine why an instance is (not) here, and asks again when its status changes. For panels and
 * support pages.
 */
import { computed, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type ShallowRef } from "vue"
import type { Explanation } from "@espalier/engine/protocol"
import { injectEspalier, type NameOption } from "./injection.ts"
import { isServer } from "./internal/fromSubscription.ts"
import { liveRead } from "./internal/liveRead.ts"
import { shareDeep } from "./internal/share.ts"

export interface ExplainState {
  readonly explanation: Readonly<ShallowRef<Explanation | null>>
  readonly pending: ComputedRef<boolean>
  readonly error: Readonly<ShallowRef<Error | null>>
  readonly refresh: () => Promise<void>
}

/** Why an instance is in its state. A null key asks nothing. @throws EspalierMissing without the plugin */
export const useExplain = (key: MaybeRefOrGetter<string | null>, options?: NameOption): ExplainState => {
  const espalier = injectEspalier("useExplain()", options)
  const read = liveRead<{ readonly key: string }, Explanation | null>({
    client: espalier.client,
    ask: () => {
      const wanted = toValue(key)
      return wanted === null ? null : { key: wanted }
    },
    read: async (client, ask) => client.call("explain", ask.key),
    none: null,
    share: (previous, next) => shareDeep(previous, next),
  })
  if (!isServer()) {
    const status = (): unknown => {
      const wanted = toValue(key)
      return wanted === null ? null : espalier.status.value?.instances[wanted]
    }
    watch(status, () => read.invalidate(), { flush: "sync" })
  }
  const pending = computed(() => !read.answered.value)
  return { explanation: read.answer, pending, error: read.error, refresh: read.refresh }
}
