/**
 * The Vue plugin: holds one graph and the client of its engine for one app, and keeps status and phase as
 * refs that all composables share, so that fifty components cost one subscription. It never opens or closes a
 * client. SSR-safe: without a client everything is empty and pending.
 */
import {
  effectScope,
  isRef,
  shallowRef,
  toRaw,
  toValue,
  watch,
  type App,
  type EffectScope,
  type MaybeRefOrGetter,
} from "vue"
import type { EngineStatus } from "@espalier/engine/protocol"
import type { EngineClient, HostPhase } from "@espalier/worker"
import { fromSubscription, isServer } from "./internal/fromSubscription.ts"
import { shareDeep } from "./internal/share.ts"
import { defaultName, espalierKey, type Espalier } from "./injection.ts"
import type { AnyGraph } from "./types.ts"

export interface EspalierOptions<G extends AnyGraph> {
  readonly graph: G
  /**
   * The engine's client, a ref or getter of it, or nothing yet. Later: `setClient`, or the ref; the last
   * change wins.
   */
  readonly client?: MaybeRefOrGetter<EngineClient | null | undefined>
  /** Needed when an app has several graphs. */
  readonly name?: string
}

/** Refs need a scope of their own: an app has none, and the plugin outlives every component. */
interface Shared {
  readonly status: Espalier["status"]
  readonly phase: Espalier["phase"]
  readonly params: Espalier["params"]
  readonly isLeader: Espalier["isLeader"]
}

const share = (client: () => EngineClient | null): Shared => ({
  status: fromSubscription<EngineClient, EngineStatus | null>({
    source: client,
    absent: null,
    current: (from) => from.status,
    subscribe: (from, emit) => from.onStatus(emit),
    share: shareDeep,
  }),
  phase: fromSubscription<EngineClient, HostPhase | null>({
    source: client,
    absent: null,
    current: (from) => from.phase,
    subscribe: (from, emit) => from.onPhase(emit),
    share: shareDeep,
  }),
  params: fromSubscription<EngineClient, Readonly<Record<string, string>>>({
    source: client,
    absent: {},
    current: (from) => from.params,
    subscribe: (from, emit) => from.onParams(emit),
    share: shareDeep,
  }),
  isLeader: fromSubscription<EngineClient, boolean>({
    source: client,
    absent: false,
    current: (from) => from.isLeader,
    // The contract announces a change of leader by a phase, a status or a commit notice; whichever comes
    // first will do.
    subscribe: (from, emit) => {
      const look = (): void => emit(from.isLeader)
      const ends = [from.onPhase(look), from.onStatus(look), from.onCommit(look)]
      return () => {
        for (const end of ends) end()
      }
    },
  }),
})

/**
 * Makes the plugin for one graph: `app.use(createEspalier({ graph, client }))`. Make one per app (on a
 * server: per request). Several graphs: give each a `name`.
 */
export const createEspalier = <G extends AnyGraph>(options: EspalierOptions<G>): Espalier<G> => {
  const { graph, client: source, name = defaultName } = options
  const client = shallowRef<EngineClient | null>(null)
  // A deep `ref` would hand out a proxy of the client, and a proxy breaks its private state.
  const setClient = (next: EngineClient | null): void => {
    client.value = next === null ? null : toRaw(next)
  }
  const scope: EffectScope = effectScope(true)
  const shared = scope.run(() => {
    if (isRef(source) || typeof source === "function") {
      const follow = (next: EngineClient | null | undefined): void => setClient(next ?? null)
      if (isServer()) follow(toValue(source))
      else watch(source, follow, { immediate: true, flush: "sync" })
    } else setClient(source ?? null)
    return share(() => client.value)
  })
  if (shared === undefined) throw new Error("An effect scope that was just made refused to run.")
  const espalier: Espalier<G> = {
    name,
    graph,
    client,
    ...shared,
    setClient,
    install: (app: App) => {
      app.provide(espalierKey(name), espalier)
      app.onUnmount(() => scope.stop())
    },
  }
  return espalier
}
