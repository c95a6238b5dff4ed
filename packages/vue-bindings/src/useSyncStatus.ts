/**
 * The state of a whole graph as refs: the roll-up word of the design, what holds it up, and the host's
 * start-up phase. Reads only what the plugin already follows; a component re-renders when a word it uses
 * changes, not with every status.
 */
import { computed, type ComputedRef } from "vue"
import type { EngineStatus, PauseReason, Rollup } from "@espalier/engine/protocol"
import type { HostPhase } from "@espalier/worker"
import { injectEspalier, type NameOption } from "./injection.ts"

export interface SyncStatus {
  /** Roll-up of the graph; `idle` without a client. */
  readonly state: ComputedRef<Rollup>
  /** Everything the engine says; null before the first status. */
  readonly status: ComputedRef<EngineStatus | null>
  readonly isLive: ComputedRef<boolean>
  readonly isOffline: ComputedRef<boolean>
  readonly pauseReasons: ComputedRef<ReadonlyArray<PauseReason>>
  /** Requests open now, the most allowed, and instances waiting for a slot. */
  readonly connections: ComputedRef<EngineStatus["connections"]>
  /** True once the engine knows from the local store what it holds, so that "no rows" can mean no rows. */
  readonly ready: ComputedRef<boolean>
  /** Start-up phase of the host; null without a client. A `failed` phase says what to do. */
  readonly phase: ComputedRef<HostPhase | null>
  /** True while this tab's worker runs the engine for all tabs. */
  readonly isLeader: ComputedRef<boolean>
}

const noConnections: EngineStatus["connections"] = { open: 0, max: 0, waiting: 0 }
const noReasons: ReadonlyArray<PauseReason> = []

/** State of the graph. @throws EspalierMissing without the plugin */
export const useSyncStatus = (options?: NameOption): SyncStatus => {
  const espalier = injectEspalier("useSyncStatus()", options)
  const state = computed<Rollup>(() => {
    if (espalier.phase.value?.phase === "failed") return "error"
    if (espalier.status.value !== null) return espalier.status.value.state
    return espalier.client.value === null ? "idle" : "loading"
  })
  return {
    state,
    status: computed(() => espalier.status.value),
    isLive: computed(() => state.value === "live"),
    isOffline: computed(() => state.value === "offline"),
    pauseReasons: computed(() => espalier.status.value?.pauseReasons ?? noReasons),
    connections: computed(() => espalier.status.value?.connections ?? noConnections),
    ready: computed(() => espalier.status.value?.ready ?? false),
    phase: computed(() => espalier.phase.value),
    isLeader: computed(() => espalier.isLeader.value),
  }
}
