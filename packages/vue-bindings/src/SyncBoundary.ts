/**
 * One place for the states every list has: waiting, failed, empty, rows. Given live rows (`of`) it shows the slot that
 * explains them, and the rows as soon as there are any. Without them it holds an async child (`await useRows(…)`): the
 * `pending` slot until it is ready, the `error` slot when it throws. It decides nothing itself: which state it is comes
 * from the composable, so "empty" is a fact here too.
 */
import {
  defineComponent,
  h,
  onErrorCaptured,
  shallowRef,
  Suspense,
  watch,
  type ComponentPublicInstance,
  type PropType,
  type VNode,
  type VNodeProps,
} from "vue"
import type { LiveRows } from "./internal/liveRows.ts"
import { toError } from "./internal/toError.ts"

/** Slot `error`: what went wrong, and the way to try again. */
export interface BoundaryError {
  readonly error: Error
  /** Reads again, or mounts the child anew. */
  readonly retry: () => void
}

/** Slots of `<SyncBoundary>`; those left out show nothing, `empty` falls back to the default slot. */
export interface BoundarySlots<Row> {
  /** `pending` is true while a newer answer is on its way. */
  default?: (scope: { readonly rows: ReadonlyArray<Row>; readonly pending: boolean }) => unknown
  pending?: () => unknown
  empty?: () => unknown
  error?: (scope: BoundaryError) => unknown
}

export interface BoundaryProps<Row> {
  /** What `useRows` or `useLiveQuery` gave. Left out: the boundary holds an async child. */
  readonly of?: LiveRows<Row> | undefined
}

type AnySlots = Readonly<Record<string, ((scope?: unknown) => Array<VNode>) | undefined>>

const renderRows = (live: LiveRows<unknown>, slots: AnySlots): Array<VNode> | undefined => {
  const rows = live.rows.value
  if (rows.length === 0) {
    if (live.error.value !== null)
      return slots["error"]?.({ error: live.error.value, retry: () => void live.refresh() })
    if (!live.isEmpty.value) return slots["pending"]?.()
    if (slots["empty"] !== undefined) return slots["empty"]()
  }
  return slots["default"]?.({ rows, pending: live.pending.value })
}

const Boundary = defineComponent({
  name: "SyncBoundary",
  props: { of: { type: Object as PropType<LiveRows<unknown>>, default: undefined } },
  setup(props, { slots }) {
    const failure = shallowRef<Error | null>(null)
    const attempt = shallowRef(0)
    const retry = (): void => {
      failure.value = null
      attempt.value += 1
    }
    watch(
      () => props.of,
      () => {
        failure.value = null
      },
    )
    onErrorCaptured((cause) => {
      if (slots["error"] === undefined) return true
      failure.value = toError(cause)
      return false
    })
    return () => {
      if (failure.value !== null) return slots["error"]?.({ error: failure.value, retry })
      if (props.of !== undefined) return renderRows(props.of, slots)
      return h(
        Suspense,
        { key: attempt.value },
        {
          // One root, as `<Suspense>` wants it; an async child may be anywhere below.
          default: () =>
            h("div", { style: "display: contents" }, slots["default"]?.({ rows: [], pending: false })),
          fallback: () => h("div", { style: "display: contents" }, slots["pending"]?.()),
        },
      )
    }
  },
})

/** `<SyncBoundary :of="folders" v-slot="{ rows }">…</SyncBoundary>`; the type of `rows` follows `of`. */
export const SyncBoundary = Boundary as unknown as new <Row>(
  props: BoundaryProps<Row> & VNodeProps,
) => ComponentPublicInstance<BoundaryProps<Row>> & { readonly $slots: BoundarySlots<Row> }
