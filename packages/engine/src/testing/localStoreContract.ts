/**
 * What every local store promises (design §5), as cases that any test runner can run. Exists so that the memory store, on
 * which the engine is tested and simulated, and the PGlite store cannot drift apart. A case gets an empty store and fails
 * by failing its effect; it looks only at the state of the world. The promises themselves are in `storeCases/`.
 */
import type * as Effect from "effect/Effect"
import { type LocalStoreHarness, storeKit } from "./localStoreKit.ts"
import { apartCases } from "./storeCases/apart.ts"
import { durabilityCases } from "./storeCases/durability.ts"
import { malformedCases } from "./storeCases/malformed.ts"
import { orderCases } from "./storeCases/order.ts"
import { provenanceCases } from "./storeCases/provenance.ts"
import { refetchCases } from "./storeCases/refetch.ts"
import { rowCases } from "./storeCases/rows.ts"
import { tagCases } from "./storeCases/tags.ts"
import { valueCases } from "./storeCases/values.ts"

/** One promise. */
export interface LocalStoreCase {
  /** A sentence in the present tense. */
  readonly name: string
  readonly run: (harness: LocalStoreHarness) => Effect.Effect<void, unknown>
}

/** Every promise of a local store. */
export const localStoreContract: ReadonlyArray<LocalStoreCase> = [
  ...rowCases,
  ...valueCases,
  ...malformedCases,
  ...durabilityCases,
  ...provenanceCases,
  ...apartCases,
  ...tagCases,
  ...refetchCases,
  ...orderCases,
].map(([name, body]) => ({ name, run: (harness) => body(storeKit(harness)) }))
