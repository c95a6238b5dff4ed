/**
 * Who is signed in, and the database that belongs to them. The only place that opens and closes an engine client: sign-in
 * opens the person's own database, sign-out empties and closes it before anybody else can sign in. Other tabs follow.
 */
import { readonly, shallowRef, type ShallowRef } from "vue"
import type { EngineClient } from "@espalier/worker"
import type { PGliteSettings } from "./pglite-client"
import { callRoute, messageOf, RouteError } from "./problem"

/** Answer of `/api/me` and `/api/sign-in`. `name` is null while the server's database does not answer. */
export interface Me {
  readonly userId: string
  readonly name: string | null
  /** Whether the routes of the demo flag exist. */
  readonly demo: boolean
  /** Whether the server can be broken on purpose. */
  readonly faults: boolean
  readonly database: string
}

export type SessionState =
  | { readonly _tag: "loading" }
  | { readonly _tag: "signed-out" }
  | { readonly _tag: "signed-in"; readonly me: Me }
  /** The page server did not say who is signed in. */
  | { readonly _tag: "unknown"; readonly message: string }

export interface Session {
  readonly state: Readonly<ShallowRef<SessionState>>
  /** Asks the server once; later calls share the answer unless `again`. */
  readonly load: (again?: boolean) => Promise<SessionState>
  /** @throws RouteError */
  readonly signIn: (userId: string) => Promise<void>
  /** Kills this tab's worker, engine and all, and starts another on the same local database. */
  readonly restart: () => Promise<void>
  /** Ends the session, then empties and closes the local database. @throws RouteError when the server cannot be told. */
  readonly signOut: () => Promise<void>
}

export interface SessionOptions {
  readonly open: (settings: PGliteSettings) => EngineClient
  /** Told of each change of client. */
  readonly use: (client: EngineClient | null) => void
}

/** How long sign-out waits for the local database to be emptied before it closes it anyway, in milliseconds. */
const wipeTimeoutMillis = 5_000

const channelName = "espalier-session"

const wipe = async (client: EngineClient): Promise<void> => {
  const late = new Promise<void>((resolve) => setTimeout(resolve, wipeTimeoutMillis))
  // A database that cannot be emptied (its worker never started) holds nothing another person could open by name.
  const emptied = client.call("wipe").then(
    () => undefined,
    (cause: unknown) => console.warn(`The local database was not emptied: ${messageOf(cause)}`),
  )
  await Promise.race([emptied, late])
}

/** Makes the app's session. */
export const createSession = (options: SessionOptions): Session => {
  const state = shallowRef<SessionState>({ _tag: "loading" })
  const others = new BroadcastChannel(channelName)
  let client: EngineClient | null = null
  let loading: Promise<SessionState> | null = null

  const enter = (me: Me): void => {
    if (client === null) {
      client = options.open({ userId: me.userId, database: me.database })
      options.use(client)
    }
    state.value = { _tag: "signed-in", me }
  }
  const leave = (): void => {
    const former = client
    client = null
    options.use(null)
    state.value = { _tag: "signed-out" }
    void former?.close()
  }
  const ask = async (): Promise<SessionState> => {
    try {
      enter(await callRoute<Me>("GET", "/api/me"))
    } catch (cause) {
      if (cause instanceof RouteError && cause.status === 401) leave()
      else state.value = { _tag: "unknown", message: messageOf(cause) }
    }
    return state.value
  }

  // A tab that hears of a change asks the server itself; nothing it is told decides who it is.
  others.addEventListener("message", () => window.location.reload())

  return {
    state: readonly(state) as Readonly<ShallowRef<SessionState>>,
    load: (again = false) => {
      if (loading === null || again) loading = ask()
      return loading
    },
    signIn: async (userId) => {
      enter(await callRoute<Me>("POST", "/api/sign-in", { userId }))
      others.postMessage("changed")
    },
    restart: async () => {
      const now = state.value
      const former = client
      if (now._tag !== "signed-in" || former === null) return
      client = null
      options.use(null)
      await former.close()
      enter(now.me)
    },
    signOut: async () => {
      await callRoute("POST", "/api/sign-out")
      if (client !== null) await wipe(client)
      leave()
      others.postMessage("changed")
    },
  }
}
