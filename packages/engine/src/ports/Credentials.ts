/**
 * Port: what requests prove themselves with, and how it is renewed. Exists so that a token that expires under a thousand instances
 * is refreshed once, and so that a refusal is known to all of them without a request each. Sources ask it for each request and tell
 * it of a 401; the reconciler hears of new credentials and reopens what was halted for the old ones. Values are never logged,
 * stored or shown.
 *
 *   issued ──401──▶ refreshing (one for all) ──▶ issued
 *      ▲                 └── refused by the refresh, or a 401 for the new ones ──▶ refused: no request is sent
 *      └───────────── `set`, or `reopen` (somebody asked to retry) ──────────────────┘
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Network, type ShapeErrorReason, Unauthorised } from "../protocol/ShapeError.ts"
import { Current } from "./Broadcast.ts"
import { EngineConfig } from "./EngineConfig.ts"

/** What is added to a request. */
export interface RequestCredentials {
  readonly headers?: Readonly<Record<string, string>>
  readonly params?: Readonly<Record<string, string>>
}

/** Credentials with the number of their issue, so that a late 401 for old ones is told from one for these. */
export interface IssuedCredentials extends RequestCredentials {
  readonly issue: number
}

export interface CredentialsShape {
  /** What the next request carries; waits for a refresh under way, fails at once when they were refused. */
  readonly current: Effect.Effect<IssuedCredentials, ShapeErrorReason>
  /** A request with `used` met a 401. True: there are newer ones. False: there are none to be had, the 401 stands. */
  readonly renew: (used: IssuedCredentials) => Effect.Effect<boolean, ShapeErrorReason>
  /** `used` came fresh from a refresh and met a 401: nothing is sent before `set` or `reopen`. */
  readonly refuse: (used: IssuedCredentials) => Effect.Effect<void>
  /** Replaces them (a sign-in, a token another tab got). False: there are none to replace. */
  readonly set: (credentials: RequestCredentials) => Effect.Effect<boolean>
  /** Forgets a refusal, because somebody asked to try again. */
  readonly reopen: Effect.Effect<void>
  /** One element for each issue and each `reopen`, the current one first. */
  readonly changes: Stream.Stream<unknown>
}

export interface CredentialsOptions {
  /** What to start with. Default: nothing, or the first refresh when there is a `refresh`. */
  readonly initial?: RequestCredentials
  /**
   * Gets new credentials after a 401. `Unauthorised` (or null, or a rejected promise) refuses: every instance that asks halts until
   * `set` or a retry. `Network` is transient: whoever asked backs off.
   */
  readonly refresh?:
    | Effect.Effect<RequestCredentials, ShapeErrorReason>
    | (() => Promise<RequestCredentials | null>)
}

/** Shortest time between two refreshes. */
export const minRefreshMillis = 1_000

const nobody: IssuedCredentials = { issue: 0 }

/** No credentials: a 401 stands as it is. */
export const noCredentials: CredentialsShape = {
  current: Effect.succeed(nobody),
  renew: () => Effect.succeed(false),
  refuse: () => Effect.void,
  set: () => Effect.succeed(false),
  reopen: Effect.void,
  changes: Stream.empty,
}

const refreshEffect = (
  refresh: NonNullable<CredentialsOptions["refresh"]>,
): Effect.Effect<RequestCredentials, ShapeErrorReason> => {
  if (Effect.isEffect(refresh)) return refresh
  return Effect.tryPromise({
    try: refresh,
    catch: (cause) =>
      new Unauthorised({
        message: `the credentials could not be refreshed: ${cause instanceof Error ? cause.message : String(cause)}`,
      }),
  }).pipe(
    Effect.flatMap((credentials) =>
      credentials === null
        ? Effect.fail(new Unauthorised({ message: "the refresh brought no credentials" }))
        : Effect.succeed(credentials),
    ),
  )
}

interface Holding {
  issued: IssuedCredentials
  refused: Unauthorised | null
  flight: Fiber.Fiber<void, ShapeErrorReason> | null
  refreshedAt: number
}

/** Credentials that are refreshed once for everybody. A refresh under way ends with the scope. */
export const makeCredentials = (
  options: CredentialsOptions,
): Effect.Effect<CredentialsShape, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const { requestTimeoutMillis } = yield* EngineConfig
    const issues = new Current(0)
    const state: Holding = {
      issued: { ...options.initial, issue: 0 },
      refused: null,
      flight: null,
      refreshedAt: -minRefreshMillis,
    }
    const issue = (credentials: RequestCredentials): Effect.Effect<void> =>
      Effect.suspend(() => {
        state.issued = { ...credentials, issue: state.issued.issue + 1 }
        state.refused = null
        return Effect.sync(() => issues.set(issues.value + 1))
      })
    const refreshing = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const early = Math.min(minRefreshMillis, state.refreshedAt + minRefreshMillis - now)
      if (early > 0) yield* Effect.sleep(early)
      state.refreshedAt = yield* Clock.currentTimeMillis
      const before = state.issued.issue
      const credentials = yield* options.refresh === undefined
        ? Effect.succeed({})
        : refreshEffect(options.refresh)
      // Set from outside meanwhile: those are newer than what this refresh was asked for.
      if (state.issued.issue === before) yield* issue(credentials)
    }).pipe(
      Effect.timeoutOrElse({
        duration: requestTimeoutMillis,
        orElse: () =>
          Effect.fail(new Network({ message: `no credentials within ${requestTimeoutMillis} ms` })),
      }),
      Effect.tapError((reason) =>
        Effect.sync(() => {
          if (reason._tag === "Unauthorised") state.refused = reason
        }),
      ),
    )
    const underWay = (): boolean => state.flight !== null && state.flight.pollUnsafe() === undefined
    const refreshOnce = Effect.suspend(() => {
      if (state.flight !== null && underWay()) return Fiber.join(state.flight)
      return Effect.flatMap(Effect.forkIn(refreshing, scope), (fiber) => {
        state.flight = fiber
        return Fiber.join(fiber)
      })
    })
    const needsFirst = (): boolean =>
      state.issued.issue === 0 && options.initial === undefined && options.refresh !== undefined
    const current: CredentialsShape["current"] = Effect.suspend(() => {
      if (state.refused !== null) return Effect.fail(state.refused)
      if (!underWay() && !needsFirst()) return Effect.succeed(state.issued)
      return Effect.andThen(
        refreshOnce,
        Effect.sync(() => state.issued),
      )
    })
    return {
      current,
      renew: (used) =>
        Effect.suspend(() => {
          if (used.issue !== state.issued.issue) return Effect.succeed(true)
          if (state.refused === null && options.refresh !== undefined) return Effect.as(refreshOnce, true)
          // Nobody else needs to ask the server to hear the same.
          state.refused ??= new Unauthorised({ message: "the server refuses the credentials" })
          return Effect.succeed(false)
        }),
      refuse: (used) =>
        Effect.sync(() => {
          if (used.issue === state.issued.issue)
            state.refused = new Unauthorised({ message: "the server refuses the new credentials too" })
        }),
      reopen: Effect.suspend(() => {
        state.refused = null
        return Effect.sync(() => issues.set(issues.value + 1))
      }),
      changes: issues.values,
      set: (credentials) => Effect.as(issue(credentials), true),
    }
  })

/** Default: none. Provide with `Effect.provideService` or a layer, around source and engine alike. */
export const Credentials = Context.Reference<CredentialsShape>("@espalier/engine/ports/Credentials", {
  defaultValue: () => noCredentials,
})
