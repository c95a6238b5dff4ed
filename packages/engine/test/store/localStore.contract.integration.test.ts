/** The PGlite store keeps every promise of a local store, on one database in memory. */
import type { PGlite } from "@electric-sql/pglite"
import { afterAll, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { localStoreContract } from "../../src/testing/localStoreContract.ts"
import { contractGraph } from "../../src/testing/localStoreKit.ts"
import { harnessOn, openPglite } from "./pgliteHarness.ts"

for (const packed of [false, true]) {
  describe(`PgliteLocalStore given ${packed ? "packed rows" : "messages"}`, () => {
    let pglite: PGlite
    beforeAll(async () => {
      pglite = await openPglite()
    })
    afterAll(() => pglite.close())

    for (const { name, run } of localStoreContract) {
      it.live(name, () =>
        Effect.flatMap(
          Effect.suspend(() => harnessOn(pglite, contractGraph, { packed })),
          run,
        ),
      )
    }
  })
}
