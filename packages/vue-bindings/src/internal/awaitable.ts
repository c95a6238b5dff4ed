/**
 * Makes live rows awaitable without making them a promise: `await useRows(…)` in an async setup holds the nearest
 * `<Suspense>` until there is an answer, and the same call without `await` renders at once. Settles, never rejects:
 * a failure is the `error` of the rows, so that one form of error handling serves both.
 */
import { getCurrentInstance, getCurrentScope, onScopeDispose, watch } from "vue"
import { isServer } from "./fromSubscription.ts"
import type { LiveRows } from "./liveRows.ts"

/** Live rows that may be awaited; awaiting gives the same rows once they are no longer pending. */
export type AwaitableRows<Row> = LiveRows<Row> & PromiseLike<LiveRows<Row>>

/** A component that takes over markup of a server has its element before it has rendered. */
const isHydrating = (): boolean => (getCurrentInstance()?.vnode.el ?? null) !== null

/**
 * Resolves when the rows are not pending, when their scope ends, and at once on a server, where nothing would come, and
 * while its markup is hydrated, which has to be rendered as the server did.
 */
export const awaitable = <Row>(live: LiveRows<Row>): AwaitableRows<Row> => {
  const scope = getCurrentScope()
  const atOnce = isServer() || isHydrating()
  const settled = (): Promise<LiveRows<Row>> =>
    new Promise((resolve) => {
      const done = (): void => resolve(live)
      if (atOnce || scope === undefined || !scope.active || !live.pending.value) return done()
      scope.run(() => {
        const stop = watch(
          live.pending,
          (pending) => {
            if (pending) return
            stop()
            done()
          },
          { flush: "sync" },
        )
        onScopeDispose(done)
      })
    })
  // oxlint-disable-next-line unicorn/no-thenable -- awaiting is what this is for
  return { ...live, then: (onFulfilled, onRejected) => settled().then(onFulfilled, onRejected) }
}
