/**
 * Calls of this tab that no leader has answered yet. Each ends exactly once: with its answer, with a named
 * error, or at its bound. A new leader gets every open call again, which is safe because commands are
 * idempotent. Used by `LeaderLink` only.
 */
import type { EngineCalls } from "../contract.ts"
import type { CallOutcome } from "../protocol.ts"
import { CallFailed, HostUnavailable } from "./errors.ts"

interface PendingCall {
  readonly name: keyof EngineCalls
  readonly args: ReadonlyArray<unknown>
  readonly settle: (outcome: CallOutcome | Error) => void
  /** Epoch of the leader that was asked last; null before the first. */
  askedEpoch: string | null
}

type Send = (callId: number, name: keyof EngineCalls, args: ReadonlyArray<unknown>) => void

export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>()
  readonly #timeoutMillis: number
  #nextId = 1

  constructor(timeoutMillis: number) {
    this.#timeoutMillis = timeoutMillis
  }

  get size(): number {
    return this.#calls.size
  }

  /** Registers a call. It is sent by the next {@link sendTo}. */
  open(name: keyof EngineCalls, args: ReadonlyArray<unknown>): Promise<unknown> {
    const callId = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          settle(
            new HostUnavailable(
              `No leader answered "${name}" within ${this.#timeoutMillis} ms. It may be repeated safely.`,
            ),
          ),
        this.#timeoutMillis,
      )
      const settle = (outcome: CallOutcome | Error): void => {
        clearTimeout(timer)
        this.#calls.delete(callId)
        if (outcome instanceof Error) reject(outcome)
        else if (outcome.ok) resolve(outcome.value)
        else reject(new CallFailed(outcome.name, outcome.message))
      }
      this.#calls.set(callId, { name, args, settle, askedEpoch: null })
    })
  }

  /** Sends every call that this leader has not been asked yet. */
  sendTo(epoch: string, send: Send): void {
    for (const [callId, call] of this.#calls) {
      if (call.askedEpoch === epoch) continue
      call.askedEpoch = epoch
      send(callId, call.name, call.args)
    }
  }

  /** Ends a call with its answer; unknown ids (already timed out) are ignored. */
  answer(callId: number, outcome: CallOutcome): void {
    this.#calls.get(callId)?.settle(outcome)
  }

  /** Ends every open call with one error. */
  failAll(error: Error): void {
    for (const call of [...this.#calls.values()]) call.settle(error)
  }
}
