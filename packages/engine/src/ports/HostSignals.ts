/**
 * Port: what the host knows about the world the engine runs in: online, visible. The signals may lie; requests are the
 * evidence. Implemented by the worker host from browser events, by `alwaysOnline` in Node, and by a scripted one in tests.
 */
import * as Context from "effect/Context"
import * as Stream from "effect/Stream"

export interface HostSignal {
  readonly online: boolean
  readonly visible: boolean
}

export class HostSignals extends Context.Service<
  HostSignals,
  {
    /** Current value first, then every change. */
    readonly changes: Stream.Stream<HostSignal>
  }
>()("@espalier/engine/ports/HostSignals") {
  /** A host that is always online and visible. */
  static readonly alwaysOnline = HostSignals.of({ changes: Stream.make({ online: true, visible: true }) })
}
