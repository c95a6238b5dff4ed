/**
 * The graph's parameters as the engine has them, and the way to change those that the client may choose (a selected
 * year, a region): instances both values want go on, the others come and go. Parameters of source `identity` follow
 * the person and never change here.
 */
import { computed, type ComputedRef } from "vue"
import { injectEspalier, type NameOption } from "./injection.ts"

export interface ParamsState {
  /** Values as text; empty without a client. */
  readonly params: ComputedRef<Readonly<Record<string, string>>>
  /**
   * Moves the engine, for all tabs, to other values of client parameters; those left out stay. False when it refused
   * (an unknown name, a parameter of the identity) or when there is no client. Rejects when no leader answers.
   */
  readonly setParams: (params: Readonly<Record<string, string>>) => Promise<boolean>
}

/** Parameters of the graph. @throws EspalierMissing without the plugin */
export const useParams = (options?: NameOption): ParamsState => {
  const espalier = injectEspalier("useParams()", options)
  return {
    params: computed(() => espalier.params.value),
    setParams: async (params) => {
      const client = espalier.client.value
      return client === null ? false : client.setParams(params)
    },
  }
}
