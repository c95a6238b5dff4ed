/** The memory store keeps every promise of a local store. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeMemoryStore } from "../../src/adapters/memory/index.ts"
import { localStoreContract } from "../../src/testing/localStoreContract.ts"
import { contractGraph } from "../../src/testing/localStoreKit.ts"

describe("MemoryLocalStore", () => {
  for (const { name, run } of localStoreContract) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const { controls, store } = yield* makeMemoryStore({ graph: contractGraph })
        yield* run({ store: () => store, rows: controls.rows, reopen: controls.crash })
      }),
    )
  }
})
