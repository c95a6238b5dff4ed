/** What only the memory store can do: fail on order, before or after its work, and be crashed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { MemoryLocalStore } from "../../src/adapters/memory/index.ts"
import { LocalStore } from "../../src/ports/LocalStore.ts"
import { contractGraph, shareOf, storeInstance } from "../../src/testing/localStoreKit.ts"
import { insert, snapshotEnd } from "../../src/testing/messages.ts"

const share = shareOf(storeInstance("one"), [insert("items", { id: "1", name: "a" }), snapshotEnd()])

describe("MemoryLocalStore", () => {
  it.effect("fails the next call on order, once, and keeps nothing of it", () =>
    Effect.gen(function* () {
      const store = yield* LocalStore
      const controls = yield* MemoryLocalStore
      yield* controls.failNext("commit", "quota")
      const error = yield* Effect.flip(store.commit([share]))
      assert.deepStrictEqual([error.operation, error.kind], ["commit", "quota"])
      assert.deepStrictEqual(yield* store.instances, [])
      yield* store.commit([share])
      assert.deepStrictEqual(
        (yield* controls.rows("items")).map(({ id }) => id),
        ["1"],
      )
    }).pipe(Effect.provide(MemoryLocalStore.layer({ graph: contractGraph }))),
  )

  it.effect("loses the answer but not the work when told to fail afterwards", () =>
    Effect.gen(function* () {
      const store = yield* LocalStore
      const controls = yield* MemoryLocalStore
      yield* controls.failNext("commit", "unavailable", "after")
      yield* Effect.flip(store.commit([share]))
      yield* controls.crash
      assert.deepStrictEqual(
        (yield* store.instances).map(({ checkpoint }) => checkpoint?.offset),
        ["1_0"],
      )
    }).pipe(Effect.provide(MemoryLocalStore.layer({ graph: contractGraph }))),
  )
})
