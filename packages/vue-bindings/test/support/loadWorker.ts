/**
 * The other side of the load: a worker that makes statuses at the host's pace and posts them, as the leader's worker does. Apart from
 * the page, so that the page's main thread does only what it does in an app: receive, share, show.
 */
import { busyStatus } from "./scene.ts"

export interface LoadOrder {
  readonly count: number
  /** How often the instances change state, per second. */
  readonly rate: number
  readonly seconds: number
  /** How long between two statuses, in milliseconds. */
  readonly everyMillis: number
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<LoadOrder>) => void
  postMessage: (message: unknown) => void
}

scope.onmessage = ({ data: { count, rate, seconds, everyMillis } }) => {
  const changes = Math.round(rate * seconds)
  const started = performance.now()
  const timer = setInterval(() => {
    // By the clock, so that a busy machine gets fewer statuses and not a longer run.
    const tick = Math.min(changes, Math.floor(((performance.now() - started) / 1000) * rate))
    scope.postMessage({ status: busyStatus(count, tick), isLast: tick >= changes })
    if (tick >= changes) clearInterval(timer)
  }, everyMillis)
}
