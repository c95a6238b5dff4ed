/**
 * Hands the engine what its requests prove themselves with, and keeps handing it: a token in a ref is passed on when it
 * changes, and again to every new client. The credentials live in the leader's memory only; nothing of them is kept
 * here, shown or stored.
 */
import {
  computed,
  shallowRef,
  toValue,
  watch,
  type ComputedRef,
  type MaybeRefOrGetter,
  type ShallowRef,
} from "vue"
import type { EngineClient, RequestCredentials } from "@espalier/worker"
import { injectEspalier, type NameOption } from "./injection.ts"
import { isServer } from "./internal/fromSubscription.ts"
import { equal } from "./internal/share.ts"
import { toError } from "./internal/toError.ts"

export interface CredentialsState {
  /**
   * Hands over credentials by hand, for requests from now on; what was halted for the old ones goes on. False without a
   * client. Rejects when no leader answers.
   */
  readonly set: (credentials: RequestCredentials) => Promise<boolean>
  /** The server refuses the present ones: something waits for a refresh, or halted as `Unauthorised`. */
  readonly needed: ComputedRef<boolean>
  /** Why the last hand-over of a followed source failed; null after one that worked. */
  readonly error: Readonly<ShallowRef<Error | null>>
}

/**
 * Credentials of the requests. With a source (a ref or getter of `{ headers, params }`), it is followed while this
 * scope lives; null or undefined hands over nothing. @throws EspalierMissing without the plugin
 */
export const useCredentials = (
  source?: MaybeRefOrGetter<RequestCredentials | null | undefined>,
  options?: NameOption,
): CredentialsState => {
  const espalier = injectEspalier("useCredentials()", options)
  const error = shallowRef<Error | null>(null)
  const needed = computed(() => {
    const status = espalier.status.value
    if (status === null) return false
    return (
      status.pauseReasons.includes("auth") ||
      Object.values(status.instances).some((one) => one.error?.reason === "Unauthorised")
    )
  })
  let given: { readonly client: EngineClient; readonly credentials: RequestCredentials } | null = null
  const handOver = async (client: EngineClient, credentials: RequestCredentials): Promise<void> => {
    if (given?.client === client && equal(given.credentials, credentials)) return
    const mine = { client, credentials }
    given = mine
    try {
      await client.call("setCredentials", credentials)
      if (given === mine) error.value = null
    } catch (cause) {
      // Only the last hand-over counts, and one that failed may be made again with the same credentials.
      if (given !== mine) return
      given = null
      error.value = toError(cause)
    }
  }
  if (!isServer()) {
    watch(
      [espalier.client, () => toValue(source)] as const,
      ([client, credentials]) => {
        if (client !== null && credentials !== null && credentials !== undefined)
          void handOver(client, credentials)
      },
      { immediate: true, flush: "sync" },
    )
  }
  return {
    set: async (credentials) => (await espalier.client.value?.call("setCredentials", credentials)) ?? false,
    needed,
    error,
  }
}
