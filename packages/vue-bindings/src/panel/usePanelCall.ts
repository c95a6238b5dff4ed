/**
 * A question to the engine that an open view asks again whenever the sampled status moves on, one at a time. Exists because
 * the composables follow every status, which is too often for a panel over a thousand busy instances.
 */
import { watch, type ShallowRef } from "vue"
import type { EngineStatus } from "@espalier/engine/protocol"
import type { EngineClient } from "@espalier/worker"
import type { Espalier } from "../injection.ts"
import { liveRead } from "../internal/liveRead.ts"

export interface PanelCallOptions<Answer> {
  /** Asks only while true. Tracked. */
  readonly when: () => boolean
  readonly read: (client: EngineClient) => Promise<Answer>
  readonly none: Answer
  readonly isSame: (previous: Answer, next: Answer) => boolean
}

export interface PanelCall<Answer> {
  readonly answer: Readonly<ShallowRef<Answer>>
  readonly answered: Readonly<ShallowRef<boolean>>
  readonly error: Readonly<ShallowRef<Error | null>>
  readonly refresh: () => Promise<void>
}

export const usePanelCall = <Answer>(
  espalier: Espalier,
  status: { readonly value: EngineStatus | null },
  { when, read, none, isSame }: PanelCallOptions<Answer>,
): PanelCall<Answer> => {
  const question = { asked: true } as const
  const { answer, answered, error, refresh, invalidate } = liveRead<typeof question, Answer>({
    client: espalier.client,
    ask: () => (when() ? question : null),
    read,
    none,
    share: (previous, next) => (isSame(previous, next) ? previous : next),
  })
  watch(
    () => status.value,
    () => invalidate(),
    { flush: "sync" },
  )
  return { answer, answered, error, refresh }
}
