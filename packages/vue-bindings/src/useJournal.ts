/**
 * The engine's journal: what it decided and why, oldest first, read again when the engine publishes a status.
 * The engine keeps a bounded ring of entries; this shows that ring and stores nothing.
 */
import { computed, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type ShallowRef } from "vue"
import type { JournalEntry } from "@espalier/engine/protocol"
import { injectEspalier, type NameOption } from "./injection.ts"
import { isServer } from "./internal/fromSubscription.ts"
import { liveRead } from "./internal/liveRead.ts"
import { shareRows } from "./internal/share.ts"

export interface JournalOptions extends NameOption {
  /** Reads only while true. Default true. */
  readonly when?: MaybeRefOrGetter<boolean>
}

export interface JournalState {
  readonly entries: Readonly<ShallowRef<ReadonlyArray<JournalEntry>>>
  readonly pending: ComputedRef<boolean>
  readonly error: Readonly<ShallowRef<Error | null>>
  readonly refresh: () => Promise<void>
}

/** The journal. @throws EspalierMissing without the plugin */
export const useJournal = (options?: JournalOptions): JournalState => {
  const espalier = injectEspalier("useJournal()", options)
  const read = liveRead<{ readonly journal: true }, ReadonlyArray<JournalEntry>>({
    client: espalier.client,
    ask: () => (toValue(options?.when) === false ? null : { journal: true }),
    read: async (client) => client.call("journal"),
    none: [],
    share: (previous, next) => shareRows(previous, next, ["seq"]),
  })
  if (!isServer()) watch(espalier.status, () => read.invalidate(), { flush: "sync" })
  const pending = computed(() => !read.answered.value)
  return { entries: read.answer, pending, error: read.error, refresh: read.refresh }
}
