/**
 * Holds one lease for as long as an effect scope lives, and moves it when the bindings or the client change.
 * The new lease is taken before the old one is given back, so that a change of bindings never drains an
 * instance both of them ask for. While `<KeepAlive>` hides the component the lease is given back: the node's `keepFor`
 * makes a quick return cheap. Used by `useLease` and `useRows`; never on a server.
 */
import { onScopeDispose, shallowRef, watch, type ShallowRef } from "vue"
import type { EngineClient, LeaseRequest } from "@espalier/worker"
import { isServer } from "./fromSubscription.ts"
import { equal } from "./share.ts"
import { whileShown } from "./whileShown.ts"

/** Follows `lease`; null means none. The result is true while a lease is held. */
export const followLease = (
  client: Readonly<ShallowRef<EngineClient | null>>,
  lease: () => LeaseRequest | null,
): Readonly<ShallowRef<boolean>> => {
  const held = shallowRef(false)
  if (isServer()) return held
  const shown = whileShown()
  let current: {
    readonly client: EngineClient
    readonly lease: LeaseRequest
    readonly release: () => void
  } | null = null
  watch(
    [client, () => (shown.value ? lease() : null)] as const,
    ([from, next]) => {
      if (current !== null && current.client === from && equal(current.lease, next)) return
      const former = current
      current =
        from === null || next === null
          ? null
          : { client: from, lease: next, release: from.acquire(next).release }
      held.value = current !== null
      former?.release()
    },
    { immediate: true, flush: "sync" },
  )
  onScopeDispose(() => {
    current?.release()
    current = null
    held.value = false
  })
  return held
}
