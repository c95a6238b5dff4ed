/** The app's session: who is signed in, signing in and out. Provided by the client plugin. */
import type { Session } from "../utils/session"

export const useSession = (): Session => useNuxtApp().$session as Session

/** The signed-in person's id, or undefined. */
export const useUserId = () => {
  const { state } = useSession()
  return computed(() => (state.value._tag === "signed-in" ? state.value.me.userId : undefined))
}
