/**
 * How a composable finds the engine of its app: one typed injection key per name, and an error that says
 * which plugin is missing. App-scoped on purpose: a module-level engine would be shared by all requests of a
 * server.
 */
import { hasInjectionContext, inject, type App, type InjectionKey, type ShallowRef } from "vue"
import type { EngineStatus } from "@espalier/engine/protocol"
import type { EngineClient, HostPhase } from "@espalier/worker"
import type { AnyGraph } from "./types.ts"

/** What `createEspalier` makes: a Vue plugin and the app's handle on one graph. */
export interface Espalier<G extends AnyGraph = AnyGraph> {
  /** Tells several graphs of one app apart. */
  readonly name: string
  readonly graph: G
  /** The client in use; null on a server and while nobody is signed in. */
  readonly client: Readonly<ShallowRef<EngineClient | null>>
  /** Last status of the engine; parts that did not change keep their identity. */
  readonly status: Readonly<ShallowRef<EngineStatus | null>>
  /** Start-up phase of the host; null without a client. */
  readonly phase: Readonly<ShallowRef<HostPhase | null>>
  /** Values of the graph's parameters as text; empty without a client. */
  readonly params: Readonly<ShallowRef<Readonly<Record<string, string>>>>
  /** True while this tab's worker runs the engine. */
  readonly isLeader: Readonly<ShallowRef<boolean>>
  /**
   * Exchanges the client, or takes it away. Every composable drops what it holds of the former client in the
   * same step and follows the new one. Does not close the former client: whoever opened it does.
   */
  readonly setClient: (client: EngineClient | null) => void
  readonly install: (app: App) => void
}

/** A composable accepts the name of the graph it speaks of; default: the only one. */
export interface NameOption {
  readonly name?: string
}

/** Name of an `Espalier` that was given none. */
export const defaultName = "default"

/** Injection key of one named graph. Equal names give the same key, also across copies of this package. */
export const espalierKey = (name: string = defaultName): InjectionKey<Espalier> =>
  Symbol.for(`@espalier/vue:${name}`) as InjectionKey<Espalier>

/** A composable was used in an app (or outside of any) that did not install the plugin it needs. */
export class EspalierMissing extends Error {
  readonly _tag = "EspalierMissing"
  constructor(caller: string, name: string, inSetup: boolean) {
    const named = name === defaultName ? "" : `, name: "${name}"`
    super(
      inSetup
        ? `${caller} found no Espalier${named === "" ? "" : ` named "${name}"`} in this app. ` +
            `Install the plugin before mounting: app.use(createEspalier({ graph, client${named} })).`
        : `${caller} was called outside of setup. Call it in a component's setup or inside app.runWithContext.`,
    )
    this.name = "EspalierMissing"
  }
}

/** The app's Espalier. @throws EspalierMissing */
export const injectEspalier = (caller: string, options: NameOption | undefined): Espalier => {
  const name = options?.name ?? defaultName
  const inSetup = hasInjectionContext()
  const found = inSetup ? inject(espalierKey(name), null) : null
  if (found === null) throw new EspalierMissing(caller, name, inSetup)
  return found
}

/**
 * The app's Espalier, for what the composables do not cover (commands, signing out). @throws EspalierMissing
 */
export const useEspalier = (options?: NameOption): Espalier => injectEspalier("useEspalier()", options)
