/**
 * The only bridge from a subscription of the engine's client to Vue: a `shallowRef` that follows a source
 * which may be absent, appear later or be exchanged (sign-in, sign-out), and ends with Vue's effect scope.
 * Exists so that no composable subscribes by hand and leaks. Values of a former source never arrive late: the
 * ref is reset in the same synchronous step in which the source changes. On a server it reads once and never
 * subscribes, because nothing would end the subscription.
 */
import { onScopeDispose, shallowRef, watch, type ShallowRef } from "vue"

/** True where there is no page: composables read, but never subscribe, query or lease. */
export const isServer = (): boolean => typeof window === "undefined"

export interface SubscriptionOptions<Source, Value> {
  /** What to subscribe to now; null while there is nothing. Tracked. */
  readonly source: () => Source | null
  /** The value while there is no source. */
  readonly absent: Value
  /** The value at the moment of subscribing. */
  readonly current: (source: Source) => Value
  readonly subscribe: (source: Source, emit: (value: Value) => void) => () => void
  /** Keeps the identity of equal parts. Default: the new value as it is. */
  readonly share?: (previous: Value, next: Value) => Value
}

/** Follows a subscription for as long as the current effect scope lives. */
export const fromSubscription = <Source extends object, Value>(
  options: SubscriptionOptions<Source, Value>,
): Readonly<ShallowRef<Value>> => {
  const { source, absent, current, subscribe, share = (_, next) => next } = options
  const value = shallowRef(absent) as ShallowRef<Value>
  if (isServer()) {
    const only = source()
    if (only !== null) value.value = current(only)
    return value
  }
  let stop: (() => void) | null = null
  const attach = (next: Source | null): void => {
    stop?.()
    stop = null
    value.value = next === null ? absent : current(next)
    if (next === null) return
    let open = true
    const end = subscribe(next, (emitted) => {
      if (open) value.value = share(value.value, emitted)
    })
    stop = () => {
      open = false
      end()
    }
  }
  watch(source, attach, { immediate: true, flush: "sync" })
  onScopeDispose(() => stop?.())
  return value
}
