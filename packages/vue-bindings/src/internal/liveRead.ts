/**
 * Keeps the answer to one question fresh: asks the client, asks again when told that the answer may have
 * changed, when the question changes or when the client is exchanged. One read is in flight at most and one
 * more is remembered; the answer to a superseded question, or of a former client, is dropped. Used by every
 * composable that reads; it knows nothing of SQL.
 *
 * What is shown, and when:
 * - another client: the old answer goes in the same synchronous step (it may belong to another user);
 * - another question: the old answer stays until the new one is there (`answered` is false meanwhile);
 * - no question (something it needs is not known yet): no answer;
 * - a failed read: the answer stays if it was to this very question, and `error` says what happened;
 * - hidden by `<KeepAlive>`: the answer stays, nothing is read, and one read on return catches up.
 */
import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type ShallowRef } from "vue"
import type { EngineClient } from "@espalier/worker"
import { isServer } from "./fromSubscription.ts"
import { equal } from "./share.ts"
import { toError } from "./toError.ts"
import { whileShown } from "./whileShown.ts"

export interface LiveReadOptions<Ask extends object, Answer> {
  readonly client: Readonly<ShallowRef<EngineClient | null>>
  /** The question; null while it cannot be put. Tracked. May throw: that becomes `error`. */
  readonly ask: (client: EngineClient) => Ask | null
  readonly read: (client: EngineClient, ask: Ask) => Promise<Answer>
  readonly none: Answer
  /** Keeps identities of what did not change. */
  readonly share: (previous: Answer, next: Answer, ask: Ask) => Answer
  /** Read when a read starts and published with its answer as `stamp`; not tracked. */
  readonly stamp?: () => boolean
}

export interface LiveRead<Ask, Answer> {
  /** The current question; null while it cannot be put or is invalid. */
  readonly question: ComputedRef<Ask | null>
  readonly answer: Readonly<ShallowRef<Answer>>
  /** The answer is to the current question of the current client. */
  readonly answered: Readonly<ShallowRef<boolean>>
  /** `stamp()` at the start of the read that gave the answer. */
  readonly stamped: Readonly<ShallowRef<boolean>>
  readonly error: Readonly<ShallowRef<Error | null>>
  /** The answer may have changed: read again, once, soon. */
  readonly invalidate: () => void
  /** Reads again; resolves when a read that began after this call has landed or can no longer land. */
  readonly refresh: () => Promise<void>
}

interface Flight<Ask> {
  readonly client: EngineClient
  readonly ask: Ask
  readonly stamp: boolean
  readonly waiters: ReadonlyArray<() => void>
}

type Question<Ask> = { readonly ask: Ask | null } | { readonly failure: Error }

const settle = (waiters: ReadonlyArray<() => void>): void => {
  for (const resolve of waiters) resolve()
}

/** Starts reading; ends with the current effect scope. */
export const liveRead = <Ask extends object, Answer>(
  options: LiveReadOptions<Ask, Answer>,
): LiveRead<Ask, Answer> => {
  const { client, none, share, stamp = () => true } = options
  const shown = whileShown()
  const answer = shallowRef(none) as ShallowRef<Answer>
  const answered = shallowRef(false)
  const stamped = shallowRef(false)
  const error = shallowRef<Error | null>(null)

  const question = computed<Question<Ask>>((previous) => {
    const from = client.value
    if (from === null) return { ask: null }
    try {
      const ask = options.ask(from)
      // An equal question is the same question: new option objects on every render must not cost a read.
      return previous !== undefined && "ask" in previous && equal(previous.ask, ask) ? previous : { ask }
    } catch (cause) {
      return { failure: toError(cause) }
    }
  })

  let flight: Flight<Ask> | null = null
  let dirty = false
  let scheduled = false
  let closed = false
  let waiting: Array<() => void> = []
  /** The question the shown answer belongs to. */
  let shownFor: Ask | null = null

  const valid = computed(() => ("ask" in question.value ? question.value.ask : null))
  const currentAsk = (): Ask | null => valid.value

  const drop = (): void => {
    answer.value = none
    shownFor = null
    stamped.value = false
  }

  const land = (
    landed: Flight<Ask>,
    result: { readonly ok: Answer } | { readonly failed: unknown },
  ): void => {
    if (closed || flight !== landed) return
    flight = null
    const ask = currentAsk()
    if (ask !== landed.ask) {
      // Superseded: whoever waits for fresh data waits for the next read.
      waiting = [...landed.waiters, ...waiting]
      if (ask === null) settle(waiting.splice(0))
    } else if ("ok" in result) {
      answer.value = share(answer.value, result.ok, ask)
      shownFor = ask
      stamped.value = landed.stamp
      error.value = null
      answered.value = true
    } else {
      if (shownFor !== ask) drop()
      error.value = toError(result.failed)
      answered.value = true
    }
    if (ask === landed.ask) settle(landed.waiters)
    if (dirty) start()
  }

  const start = (): void => {
    const from = client.value
    const ask = currentAsk()
    if (closed || flight !== null) return
    // Whoever asked for fresh data by name gets it; the rest waits until somebody looks.
    if (!shown.value && waiting.length === 0) return
    dirty = false
    if (from === null || ask === null) return settle(waiting.splice(0))
    const started: Flight<Ask> = { client: from, ask, stamp: stamp(), waiters: waiting.splice(0) }
    flight = started
    const read = async (): Promise<Answer> => options.read(from, ask)
    read().then(
      (ok) => land(started, { ok }),
      (failed: unknown) => land(started, { failed }),
    )
  }

  const invalidate = (): void => {
    if (closed || isServer()) return
    dirty = true
    if (scheduled) return
    scheduled = true
    // A microtask gathers everything that changes in one step (several options, several notices) into one
    // read.
    queueMicrotask(() => {
      scheduled = false
      if (dirty) start()
    })
  }

  if (!isServer()) {
    watch(
      [client, question] as const,
      ([nextClient, next], [previousClient]) => {
        if (nextClient !== previousClient) {
          if (flight !== null) waiting = [...flight.waiters, ...waiting]
          flight = null
          drop()
        }
        answered.value = false
        error.value = null
        if ("failure" in next) {
          drop()
          error.value = next.failure
          answered.value = true
        } else if (next.ask === null) drop()
        invalidate()
      },
      { immediate: true, flush: "sync" },
    )
    watch(
      shown,
      (now) => {
        if (now && dirty) invalidate()
      },
      { flush: "sync" },
    )
    onScopeDispose(() => {
      closed = true
      if (flight !== null) settle(flight.waiters)
      flight = null
      settle(waiting.splice(0))
    })
  }

  const refresh = async (): Promise<void> => {
    if (closed || isServer()) return
    const landed = new Promise<void>((resolve) => waiting.push(resolve))
    invalidate()
    return landed
  }
  return { question: valid, answer, answered, stamped, error, invalidate, refresh }
}
