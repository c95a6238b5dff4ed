/**
 * A ref that follows another at a bounded pace. Exists so that a thousand instances that change a hundred times a second
 * cost the page a few renderings a second and not a hundred: a person cannot read faster. The last value always arrives, so
 * what is shown at rest is what is.
 */
import { onScopeDispose, shallowRef, watch, type ShallowRef } from "vue"

export interface SampledOptions<Value> {
  /** How long to wait between two values after this one, in milliseconds; 0 follows at once. */
  readonly pauseMillis: (value: Value) => number
  /** True when the value must not wait (another user's). */
  readonly isUrgent?: (next: Value, shown: Value) => boolean
}

/** Follows `source` until the effect scope ends. */
export const useSampled = <Value>(
  source: () => Value,
  options: SampledOptions<Value>,
): Readonly<ShallowRef<Value>> => {
  const shown = shallowRef(source()) as ShallowRef<Value>
  let timer: ReturnType<typeof setTimeout> | null = null
  let isLate = false
  const pause = (): void => {
    const millis = options.pauseMillis(shown.value)
    if (millis <= 0) return
    timer = setTimeout(() => {
      timer = null
      if (!isLate) return
      isLate = false
      shown.value = source()
      pause()
    }, millis)
  }
  const stop = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    isLate = false
  }
  watch(
    source,
    (next) => {
      if (options.isUrgent?.(next, shown.value) === true) stop()
      isLate = timer !== null
      if (isLate) return
      shown.value = next
      pause()
    },
    { flush: "sync" },
  )
  onScopeDispose(stop)
  return shown
}
