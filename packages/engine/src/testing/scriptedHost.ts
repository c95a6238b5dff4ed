/** A host whose signals a test sets: offline, online again, hidden, seen. Used by tests and by simulated worlds. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { type HostSignal, HostSignals } from "../ports/HostSignals.ts"

export interface ScriptedHost {
  readonly signals: HostSignals["Service"]
  /** What the host says now. */
  readonly current: Effect.Effect<HostSignal>
  readonly set: (signal: HostSignal) => Effect.Effect<void>
}

/** A host that is online and visible until it is told otherwise. */
export const scriptedHost: Effect.Effect<ScriptedHost> = Effect.map(
  SubscriptionRef.make<HostSignal>({ online: true, visible: true }),
  (ref) => ({
    signals: HostSignals.of({ changes: SubscriptionRef.changes(ref).pipe(Stream.changes) }),
    current: SubscriptionRef.get(ref),
    set: (signal) => SubscriptionRef.set(ref, signal),
  }),
)
