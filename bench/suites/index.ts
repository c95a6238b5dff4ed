/** Every suite of the benchmark, by name. A suite's ids are known before it runs, so that `--only` can be checked. */
import type { Measure, SuiteOptions } from "../lib/measure.ts"
import { gatewayIds, gatewaySuite } from "./gateway/index.ts"
import { reconcileIds, reconcileSuite } from "./reconcile/index.ts"
import { storeIds, storeSuite } from "./store/index.ts"

/** A suite. */
export interface Suite {
  readonly ids: ReadonlyArray<string>
  readonly run: (options: SuiteOptions) => Promise<ReadonlyArray<Measure>>
}

export const suites: Readonly<Record<string, Suite>> = {
  store: { ids: storeIds, run: storeSuite },
  reconcile: { ids: reconcileIds, run: reconcileSuite },
  gateway: { ids: gatewayIds, run: gatewaySuite },
}
