/**
 * Runs one command of a tab on the engine and puts its outcome into plain data. Exists so that the list of
 * commands is checked against the contract in one place; an unknown name (another deployment's tab) is an
 * answer, not a silence. Used by `TabServer`.
 */
import type { CredentialsShape, Engine } from "@espalier/engine"
import type { PauseReason } from "@espalier/engine/protocol"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { EngineCalls } from "../contract.ts"
import type { CallOutcome } from "../protocol.ts"
import type { ParamsDesk } from "./ParamsDesk.ts"

/** What commands act on: the engine, and the pauses tabs asked for. */
export interface CallTarget {
  readonly engine: Engine["Service"]
  readonly credentials: CredentialsShape
  readonly params: ParamsDesk
  /** The engine counts pauses; a tab's command may be repeated, so a reason is passed on once. */
  readonly pauses: Set<PauseReason>
}

type Runners = {
  readonly [Name in keyof EngineCalls]: (
    target: CallTarget,
    ...args: Parameters<EngineCalls[Name]>
  ) => Effect.Effect<ReturnType<EngineCalls[Name]>, unknown>
}

const pause = ({ engine, pauses }: CallTarget, reason: PauseReason): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    if (pauses.has(reason)) return Effect.succeed(true)
    pauses.add(reason)
    return Effect.as(engine.pause(reason), true)
  })

const resume = ({ engine, pauses }: CallTarget, reason: PauseReason): Effect.Effect<boolean> =>
  Effect.suspend(() =>
    pauses.delete(reason) ? Effect.as(engine.resume(reason), true) : Effect.succeed(true),
  )

const runners: Runners = {
  retry: ({ engine }, key) => engine.retry(key),
  refetch: ({ engine }, key) => engine.refetch(key),
  pause,
  resume,
  explain: ({ engine }, key) => engine.explain(key),
  holders: ({ engine }, table, primaryKey) => engine.holders(table, primaryKey),
  journal: ({ engine }) => engine.journal,
  evict: ({ engine }, key) => engine.evict(key),
  requests: ({ engine }) => engine.requests,
  wipe: ({ engine }) => Effect.as(engine.wipe, true),
  setCredentials: ({ credentials }, given) => credentials.set(given),
  setParams: ({ engine, params }, given) => params.set(engine, given),
}

const refused = (name: string, message: string): CallOutcome => ({ ok: false, name, message })

const fromCause = (cause: Cause.Cause<unknown>): CallOutcome => {
  const error = Cause.squash(cause)
  const tag = typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : null
  return refused(
    tag ?? (error instanceof Error ? error.name : "Error"),
    error instanceof Error ? error.message : String(error),
  )
}

/** Never fails: every end of the command is an outcome. */
export const runCall = (
  target: CallTarget | null,
  name: keyof EngineCalls,
  args: ReadonlyArray<unknown>,
): Effect.Effect<CallOutcome> => {
  if (target === null) return Effect.succeed(refused("EngineNotReady", "The engine has not started yet."))
  if (!Object.hasOwn(runners, name)) {
    return Effect.succeed(refused("UnknownCall", `This version of the host has no command "${name}".`))
  }
  // The table above ties names to arguments; a message from another thread cannot be typed any closer.
  const run = runners[name] as (
    target: CallTarget,
    ...args: ReadonlyArray<unknown>
  ) => Effect.Effect<unknown, unknown>
  return run(target, ...args).pipe(
    Effect.map((value): CallOutcome => ({ ok: true, value })),
    Effect.catchCause((cause) => Effect.succeed(fromCause(cause))),
  )
}
